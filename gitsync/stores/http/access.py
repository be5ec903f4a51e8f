"""Where a server is, and what a request to it is signed in with."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from gitsync.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request is signed in with; nothing of it is ever shown.

    cookie: ``NAME=VALUE``, a browser session's. token: a bearer token. api_key: sent as ``x-api-key``.
    Raises ConfigError (INVALID_CREDENTIALS) for what no header can hold.
    """

    cookie: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, value in self.given.items():
            if not re.fullmatch(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", value):
                raise ConfigError(
                    f"the {name} has a line end, a space around it or a character that no header can hold",
                    code="INVALID_CREDENTIALS",
                    cure="copy it anew, without what stands around it",
                )
        if self.cookie is not None and "=" not in self.cookie:
            raise ConfigError(
                "the cookie is no NAME=VALUE",
                code="INVALID_CREDENTIALS",
                cure="copy the whole `Cookie` header of a signed-in browser, or use `--token` for a token",
            )

    @property
    def given(self) -> Mapping[str, str]:
        """Name → value of those that are there."""
        named = {"cookie": self.cookie, "token": self.token, "API key": self.api_key}
        return {name: value for name, value in named.items() if value}

    @property
    def headers(self) -> dict[str, str]:
        """The headers that carry them."""
        headers = {"cookie": self.cookie, "x-api-key": self.api_key}
        headers["authorization"] = f"Bearer {self.token}" if self.token else None
        return {name: value for name, value in headers.items() if value}


def check_url(url: str) -> str:
    """The address without a slash at its end; raises ConfigError (INVALID_URL), which does not repeat secrets."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:
        raise _invalid_url("it is no URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _invalid_url("it begins with neither https:// nor http://")
    if parts.username is not None or parts.password is not None:
        raise _invalid_url("it holds a user or a password; give them as cookie, token or API key")
    if parts.query or parts.fragment:
        raise _invalid_url("it has a part behind `?` or `#`")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def is_exposed(url: str) -> bool:
    """Whether what is sent to `url` can be read on its way: no TLS, and not this very machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = host == "localhost" or host.endswith(".localhost")
    return parts.scheme == "http" and not is_loopback


def _invalid_url(why: str) -> ConfigError:
    return ConfigError(
        f"the address of the server cannot be used: {why}",
        code="INVALID_URL",
        cure="write it like https://psa.example.com",
    )
