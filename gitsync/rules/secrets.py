"""Secrets in plain text; what one looks like is known to detect-secrets.

That library is imported only where a text might be one: a long run of letters and digits, a URL with a
password, or a value under a telling name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, Final

from gitsync.rules.rule import Spot

_SHORTEST: Final = 15
_RUN: Final = re.compile(r"[A-Za-z0-9_+/=-]{20,}|-----BEGIN|://[^\s/@]+:[^\s/@]+@")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MIXED: Final = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])")
_TELLING: Final = re.compile(r"pass|pwd|secret|key|token|contrase", re.IGNORECASE)
_TOKEN: Final = re.compile(r"(?:access|auth|api|bearer|refresh|session)_?token\Z", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(
    r"[<{$%\[].*|.*[>}\]%]|x+|\*+|\.+|change_?me|todo|none|null|true|false", re.IGNORECASE
)
_DETECTORS: Final = (
    "artifactory.ArtifactoryDetector",
    "aws.AWSKeyDetector",
    "azure_storage_key.AzureStorageKeyDetector",
    "basic_auth.BasicAuthDetector",
    "cloudant.CloudantDetector",
    "discord.DiscordBotTokenDetector",
    "github_token.GitHubTokenDetector",
    "gitlab_token.GitLabTokenDetector",
    "jwt.JwtTokenDetector",
    "mailchimp.MailchimpDetector",
    "npm.NpmDetector",
    "openai.OpenAIDetector",
    "private_key.PrivateKeyDetector",
    "pypi_token.PypiTokenDetector",
    "sendgrid.SendGridDetector",
    "slack.SlackDetector",
    "square_oauth.SquareOAuthDetector",
    "stripe.StripeDetector",
    "telegram_token.TelegramBotTokenDetector",
    "twilio.TwilioKeyDetector",
)
"""Those of the library that go by a format; entropy and addresses would be guesses."""
_HIDDEN: Final = "…"
_REST: Final = re.compile(r"[A-Za-z0-9_=+/-]*(?:\.[A-Za-z0-9_=+/-]+)*")
"""What belongs to a token behind the part that a pattern names; matches everywhere."""
_KEPT: Final = 20_000

_telling: dict[str, bool] = {}


def is_candidate(name: str | int | None, value: str) -> bool:
    """Return whether `value`, a literal under `name`, is worth a closer look; quick, and right where it says no."""
    if type(name) is str and name != "$expr":
        is_telling = _telling.get(name)
        if is_telling is None:
            is_telling = _TELLING.search(name) is not None
            if len(_telling) < _KEPT:
                _telling[name] = is_telling
        if is_telling and value:
            return True
    if len(value) < _SHORTEST or _RUN.search(value) is None:
        return False
    return any(_is_odd(match.group()) for match in _RUN.finditer(value))


def _is_odd(run: str) -> bool:
    if run.startswith(("-----", "://")):
        return True
    return _MIXED.match(run) is not None and _UUID.fullmatch(run) is None


def find(container: Any, member: str | int, value: str) -> Iterator[Spot]:
    """Yield a SECRETS for `value` at `member` where it holds or is a secret, which the message does not repeat."""
    for kind, secret in known_formats(value):
        yield _spot(container, member, kind, secret, value.find(secret))
        return
    if isinstance(member, str) and member != "$expr" and _is_password(member, value):
        yield _spot(container, member, f'value of "{member}"', value, 0)


def values_of(spots: Iterable[Spot]) -> frozenset[str]:
    """Return the texts that a SECRETS is about, which no message may repeat."""
    texts = (
        spot.container[spot.member] for spot in spots if spot.rule == "SECRETS" and spot.member is not None
    )
    return frozenset(text for text in texts if isinstance(text, str))


def redact(text: str, *, hidden: Collection[str] = ()) -> str:
    """Return `text` without the secrets in it that have a known format, and without those of `hidden`."""
    for secret in hidden:
        text = text.replace(secret, _HIDDEN)
    if not is_candidate(None, text):
        return text
    for _, secret in known_formats(text):
        text = text.replace(secret, _HIDDEN)
    return text


def _spot(container: Any, member: str | int, kind: str, secret: str, offset: int) -> Spot:
    message = f"a secret in plain text: {kind}, {len(secret)} characters"
    cure = (
        'keep it in the product and write {"$secret": "NAME"}; it is in git already, so replace it there too'
    )
    return Spot(container, member, "SECRETS", message, cure, max(offset, 0))


def known_formats(value: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, secret) of each secret in `value` that has a format of its own, the secret whole.

    The library reports the groups of its patterns, which may be no more than a token's prefix (``ghp``), and
    nothing where an optional one is empty.
    """
    for detector in _detectors():
        reported = frozenset(detector.analyze_string(value))
        for pattern in detector.denylist:
            for match in pattern.finditer(value):
                if not pattern.groups and match[0] not in reported:
                    continue  # has the form alone, such as three words with dots between for a JSON Web Token
                number = max(range(1, pattern.groups + 1), key=lambda n: len(match[n] or ""), default=0)
                start, end = match.span(number if match[number] else 0)
                rest = _REST.match(value, end)
                yield detector.secret_type, value[start : rest.end() if rest else end]


def _is_password(name: str, value: str) -> bool:
    from detect_secrets.filters import heuristic
    from detect_secrets.plugins.keyword import KeywordDetector

    if _PLACEHOLDER.fullmatch(value) or len(value) < 4 or any(c.isspace() for c in value):
        return False
    telling = f"{name}_secret" if _TOKEN.search(name) else name
    quoted = value.replace('"', "").replace("'", "")
    matches = list(KeywordDetector().analyze_string(f'{telling} = "{quoted}"'))
    return bool(matches) and not (
        heuristic.is_sequential_string(value)
        or heuristic.is_templated_secret(value)
        or heuristic.is_not_alphanumeric_string(value)
        or _UUID.fullmatch(value)
    )


@cache
def _detectors() -> tuple[Any, ...]:
    detectors = []
    for name in _DETECTORS:
        module, _, kind = name.partition(".")
        detectors.append(getattr(import_module(f"detect_secrets.plugins.{module}"), kind)())
    return tuple(detectors)
