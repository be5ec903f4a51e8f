"""The last guard of passwords: whatever a message quotes, an address in it shows none.

Addresses are masked where they are known to be some. But people put them in the wrong place: a key of
``gitsync.yaml``, the value of another option. The message that quotes it goes through here.
"""

from __future__ import annotations

import re
from typing import Final

_PASSWORD: Final = re.compile(r"""([A-Za-z][A-Za-z0-9+.-]*:/+[^\s:/@"'\\]*:)[^\s"'\\]+(?=@)""")
_PARAMETER: Final = re.compile(
    r"""(\b[\w-]*(?:password|passwd|secret|token|cookie)[\w-]*=)[^\s&"'\\;,)`…]+""", re.IGNORECASE
)


def mask_secrets(text: str) -> str:
    """The text with ``***`` for each password in a URL and each secret among parameters.

    All up to the last ``@`` counts as the password, since people forget to write one in it as ``%40``.
    Quotes are left alone, so that JSON stays JSON.
    """
    return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1***", text))
