"""The last guard of passwords: whatever a message quotes, an address in it shows none.

Addresses are masked where they are known to be some. But people put them in the wrong place: a key of
``gitsync.yaml``, the value of another option. And a stranger's ``gitsync.yaml`` may ask for a variable where it
would be shown. The message that quotes either goes through here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote

ALLOW_VARIABLES: Final = "GITSYNC_ALLOW_VARIABLES"
"""The variable that names, with commas between, what else ``gitsync.yaml`` may ask for."""

_PASSWORD: Final = re.compile(r"""([A-Za-z][A-Za-z0-9+.-]*:/+[^\s:/@"'\\]*:)[^\s"'\\]+(?=@)""")
_PARAMETER: Final = re.compile(
    r"""(\b[\w-]*(?:password|passwd|secret|token|cookie)[\w-]*=)[^\s&"'\\;,)`…]+""", re.IGNORECASE
)
_CREDENTIAL: Final = re.compile(r"GITSYNC_(?:\w+_)?(?:DATABASE_URL|COOKIE|TOKEN|API_KEY|PASSWORD|SECRET)")
_TELLING: Final = re.compile(r"PASS|PWD|SECRET|TOKEN|KEY|COOKIE", re.IGNORECASE)
_SHORTEST: Final = 8
"""Characters of a value that is masked wherever it stands; a shorter one, such as a host's name, is a word like any other."""
_SHORTEST_TELLING: Final = 4
"""The same of a variable whose name says that it is a secret."""


def mask_secrets(text: str) -> str:
    """The text with ``***`` for each password in a URL and each secret among parameters.

    All up to the last ``@`` counts as the password, since people forget to write one in it as ``%40``.
    Quotes are left alone, so that JSON stays JSON.
    """
    return _PARAMETER.sub(r"\1***", _PASSWORD.sub(r"\1***", text))


def mask_values(text: str, values: Collection[str]) -> str:
    """The text with ``***`` for each of the values, also where one was written in other letters, as hosts are."""
    for value in sorted(values, key=len, reverse=True):
        text = re.sub(re.escape(value), "***", text, flags=re.IGNORECASE)
    return text


def allowed_variables(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The names that the process adds to those that ``gitsync.yaml`` may ask for."""
    names = (name.strip() for name in variables.get(ALLOW_VARIABLES, "").split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def holds_credential(name: str, variables: Mapping[str, str]) -> bool:
    """Whether a variable may hold what signs in: one of gitsync's own that says so, or any that was allowed."""
    return _CREDENTIAL.fullmatch(name) is not None or name in allowed_variables(variables)


def credentials_in(variables: Mapping[str, str]) -> frozenset[str]:
    """The values that no message may repeat, of the variables that hold a credential.

    An address is shown without its password, so it counts as none.
    """
    names = {*allowed_variables(variables), *filter(_CREDENTIAL.fullmatch, variables)}
    values = {
        value
        for name in names
        if len(value := variables.get(name, ""))
        >= (_SHORTEST_TELLING if _TELLING.search(name) else _SHORTEST)
        and "://" not in value
    }
    return frozenset(form for value in values for text in (value, unquote(value)) for form in _forms(text))


def _forms(text: str) -> Iterator[str]:
    """How a value may stand in a message: as it is, in JSON, and in an address."""
    yield text
    yield json.dumps(text)[1:-1]
    yield from (quote(text, safe=safe) for safe in ("", "/", " +/"))
