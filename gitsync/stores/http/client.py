"""Talking to a server: patience in reading, none in writing, and errors that a person can act on.

A read is asked again where the network or the server failed for a moment, and an answer that arrives in part
is such a failure. A write is sent once: what became of one that was cut short is for its caller to find out.
No answer takes more memory or time than it may. The requests run in an event loop of their own, where each can
be broken off at any moment: by threads alone, a server that sends a byte a second could not be left.
"""

from __future__ import annotations

import re
import ssl
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from gitsync import __version__
from gitsync.errors import (
    AccessDenied,
    ConfigError,
    Conflict,
    GitsyncError,
    InvalidInput,
    LockNotAcquired,
    PlanStale,
    Refused,
    ServerError,
)
from gitsync.stores.http.access import Credentials, check_url
from gitsync.workflow.parse import parse_received
from gitsync.workflow.types import Json

if TYPE_CHECKING:
    import httpx
    from anyio.from_thread import BlockingPortal
    from tenacity import RetryCallState

CONNECT_TIMEOUT: Final = 10.0
READ_TIMEOUT: Final = 60.0
WRITE_TIMEOUT: Final = 300.0
"""Seconds for a server to take a connection, to answer a read, and to finish an import."""
_MOST_VALUES: Final = 5_000_000
"""JSON values of an answer; 10,000 workflows have two million."""

_PASSING: Final = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses that say: not now."""
_LONGEST_PAUSE: Final = 30.0
_SHOWN: Final = 500
_BY_DETAIL: Final = (
    ("missingByWorkflow", "MISSING_DEPENDENCIES"),
    ("expectedFormatVersion", "UNSUPPORTED_FORMAT_VERSION"),
    ("expectedFormat", "UNSUPPORTED_FORMAT"),
    ("errors", "SCHEMA_VALIDATION_FAILED"),
    ("workflowKey", "WORKFLOW_KEY_CONFLICT"),
)
"""A detail that only one error has → the code, which the product's own errors leave out."""
_CONFLICTS: Final = frozenset({None, "WORKFLOW_KEY_CONFLICT", "CONFLICT"})
"""The codes of a 409 that are conflicts; every other one is a protection that has stopped the import."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer; ``body`` is its JSON value, ``None`` where it has none."""

    status: int
    body: Json
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a read is tried, and the pause before the second try, in seconds; the next ones are longer.

    whole: seconds for one answer from its request to its end. size: bytes of it, unpacked.
    """

    attempts: int = 5
    pause: float = 0.5
    whole: float = 300.0
    size: int = 256 * 1024 * 1024


PATIENCE: Final = Patience()


class Interrupted(GitsyncError):
    """A request got no whole answer: whether a write took place is not known.

    retry_after: seconds that the server asked to wait.
    """

    code = "SERVER_UNREACHABLE"

    def __init__(self, message: str, *, retry_after: float = 0.0, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.retry_after = retry_after


class Client:
    """Requests to one server; open it in a ``with``. Safe to use from several threads.

    url: of the server, with the path before ``/api`` if it has one.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        *,
        headers: Mapping[str, str] | None = None,
        patience: Patience = PATIENCE,
    ) -> None:
        self.address: Final = check_url(url)
        self._credentials = credentials
        self._headers = {
            "accept": "application/json",
            "accept-encoding": "gzip",
            "user-agent": f"gitsync/{__version__}",
            **(headers or {}),
            **credentials.headers,
        }
        self._patience = patience
        self._http: httpx.AsyncClient | None = None
        self._portal: BlockingPortal | None = None
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        from anyio.from_thread import start_blocking_portal

        self._http = self._make_http()
        with ExitStack() as stack:
            self._portal = stack.enter_context(start_blocking_portal())
            stack.enter_context(self._portal.wrap_async_context_manager(self._http))
            self._opened = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def _make_http(self) -> httpx.AsyncClient:
        """What sends requests; raises ConfigError for what the environment says of proxies and certificates."""
        import httpx

        try:
            return httpx.AsyncClient(
                base_url=self.address,
                headers=self._headers,
                follow_redirects=False,  # the credentials are for this server alone
            )
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(
                f"the certificates to trust cannot be read: {error.strerror or error}",
                code="INVALID_CA_FILE",
                cure="name a file of PEM certificates in SSL_CERT_FILE, or unset it to trust the usual authorities",
            ) from error
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise ConfigError(
                "the proxy that the environment names cannot be used: it is no http:// or https:// address",
                code="INVALID_PROXY",
                cure="correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY, or name the server's host in NO_PROXY",
            ) from error

    def get(self, path: str, **query: str) -> Json:
        """The JSON value at `path`; raises what `refusal` makes of an answer that is no 200."""
        answer = self.ask(path, **query)
        if answer.status != 200:
            raise self.refusal(answer, f"GET {path}")
        return answer.body

    def ask(self, path: str, **query: str) -> Reply:
        """The answer to a read, whatever its status; tried again while it fails for a moment."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

        growing = wait_random_exponential(multiplier=self._patience.pause, max=_LONGEST_PAUSE)

        def pause(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = error.retry_after if isinstance(error, Interrupted) else 0.0
            return max(growing(state), min(asked, _LONGEST_PAUSE))

        retrying = Retrying(
            stop=stop_after_attempt(self._patience.attempts),
            wait=pause,
            retry=retry_if_exception_type(Interrupted),
            reraise=True,
        )
        try:
            return retrying(self._send, "GET", path, query, None)
        except Interrupted as error:
            raise ServerError(error.message, code=error.code, cure=error.cure) from error

    def post(self, path: str, body: bytes, **query: str) -> Reply:
        """The answer to a write, whatever its status; sent once. Raises Interrupted where it got none."""
        return self._send("POST", path, query, body)

    def refusal(self, answer: Reply, what: str) -> GitsyncError:
        """The error that an answer stands for; `what` names the request."""
        body = answer.body if isinstance(answer.body, dict) else {}
        details = body.get("details")
        facts = dict(details) if isinstance(details, dict) else {}
        said = self.mask(str(body.get("error") or "no reason given"))
        code = body.get("code")
        if not isinstance(code, str) or not re.fullmatch(r"[A-Z][A-Z_]{2,59}", code):
            code = next((code for name, code in _BY_DETAIL if name in facts), None)
        message = f"{self.address} refused {what}: {said}"
        match answer.status:
            case 401:
                return self._not_signed_in(said)
            case 403:
                return AccessDenied(message, cure="sign in as an administrator, whose rights this needs")
            case 400 | 413 | 422:
                return InvalidInput(message, code=code or "INVALID_BUNDLE", details=facts)
            case 412:
                return PlanStale(message, details=facts, cure="look with `gitsync status`, then try again")
            case 409 if code == "PLAN_STALE":
                return PlanStale(message, details=facts, cure="look with `gitsync status`, then try again")
            case 409 if code in _CONFLICTS:
                return Conflict(
                    message,
                    code=code or "WORKFLOW_KEY_CONFLICT",
                    details=_conflicts(facts),
                    cure="it was made there meanwhile: look with `gitsync status`, then try again",
                )
            case 409:
                return Refused(message, code=code, details=facts)
            case 503 if code == "SYNC_IN_PROGRESS":
                return LockNotAcquired(message, cure="wait for the other run, then try again")
        return ServerError(
            f"{message} ({answer.status})", details=facts | {"status": answer.status, "code": code}
        )

    def unexpected(self, path: str, what: str) -> ServerError:
        """The error for an answer that is whole, and not what the server should say."""
        return ServerError(
            f"{self.address}{path} answered with {what}",
            code="UNEXPECTED_ANSWER",
            cure="is the address right, and is it a server of the product, or gitsync's own?",
        )

    def mask(self, text: str) -> str:
        """What a server said, fit to be shown: no secret, no control characters, not too long."""
        for secret in self._credentials.given.values():
            for part in {secret, *re.split(r"[=;]\s*", secret)}:
                if len(part) >= 6:
                    text = text.replace(part, "***")
        text = re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text).strip()
        return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"

    def _send(self, method: str, path: str, query: Mapping[str, str], body: bytes | None) -> Reply:
        import httpx

        assert self._portal is not None, "the client is used outside its `with`"
        response: httpx.Response | None = None
        try:
            response, data = self._portal.call(self._exchange, method, path, query, body)
            return self._read(response, data, path, is_write=body is not None)
        except httpx.TransportError as error:
            raise self._unreachable(error, path) from error
        except ServerError as error:
            if body is None or (response is not None and response.is_redirect):
                raise
            raise Interrupted(error.message, code=error.code, cure=error.cure) from error

    async def _exchange(
        self, method: str, path: str, query: Mapping[str, str], body: bytes | None
    ) -> tuple[httpx.Response, bytes]:
        """The response to one request, and its body unpacked."""
        import anyio
        import httpx

        assert self._http is not None
        whole = self._patience.whole
        timeout = httpx.Timeout(READ_TIMEOUT if body is None else WRITE_TIMEOUT, connect=CONNECT_TIMEOUT)
        kind = {} if body is None else {"content-type": "application/json"}
        try:
            with anyio.fail_after(whole):
                async with self._http.stream(
                    method, path, params=query or None, content=body, headers=kind, timeout=timeout
                ) as response:
                    return response, await self._unpack(response, path)
        except TimeoutError:
            raise ServerError(
                f"{self.address}{path} did not give its whole answer within {whole:g} seconds",
                code="ANSWER_TOO_SLOW",
                cure="is the server well, and the network? Try again in a while",
            ) from None

    async def _unpack(self, response: httpx.Response, path: str) -> bytes:
        """The body; never more than may be of it, however well it was packed."""
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            raise self.unexpected(path, f"the encoding {self.mask(encoding)}, which was not asked for")
        unpacking, most = zlib.decompressobj(zlib.MAX_WBITS | 16), self._patience.size
        data = bytearray()
        async for chunk in response.aiter_raw():
            try:
                data += unpacking.decompress(chunk, most - len(data) + 1) if encoding == "gzip" else chunk
            except zlib.error:
                raise self._partial(path) from None
            if len(data) > most:
                raise self._too_large(path, f"has more than {most // (1024 * 1024)} MiB")
        return bytes(data)

    def _read(self, response: httpx.Response, data: bytes, path: str, *, is_write: bool) -> Reply:
        """The answer that a response is; raises Interrupted where it says to come back."""
        if response.status_code in _PASSING and not is_write:
            said = self._json(response, data, path, strictly=False)
            if not (isinstance(said, dict) and said.get("code") == "SYNC_IN_PROGRESS"):
                reason = said.get("error") if isinstance(said, dict) else None
                words = f": {self.mask(str(reason))}" if reason else ""
                raise Interrupted(
                    f"{self.address}{path} answered {response.status_code} {response.reason_phrase}{words}",
                    retry_after=_seconds(response.headers.get("retry-after")),
                    cure="is the server well? Try again in a while",
                )
        if response.is_redirect:
            raise self._redirected(response)
        value = self._json(response, data, path, strictly=response.is_success)
        return Reply(response.status_code, value, response.headers)

    def _json(self, response: httpx.Response, data: bytes, path: str, *, strictly: bool) -> Json:
        try:
            return parse_received(data, most=_MOST_VALUES)
        except OverflowError:
            if strictly:
                raise self._too_large(path, f"holds more than {_MOST_VALUES:,} values") from None
            return None
        except RecursionError:
            if strictly:
                raise self.unexpected(path, "values that stand too deep in one another") from None
            return None
        except ValueError:
            if not strictly:
                return None
        kind = response.headers.get("content-type", "nothing").partition(";")[0]
        if "json" not in kind:
            raise self.unexpected(path, f"{kind}, not with JSON")
        raise self._partial(path)

    def _partial(self, path: str) -> Interrupted:
        cure = "is the server well? Try again in a while"
        return Interrupted(f"the answer of {self.address}{path} is not whole", cure=cure)

    def _too_large(self, path: str, what: str) -> ServerError:
        return ServerError(
            f"the answer of {self.address}{path} {what}",
            code="ANSWER_TOO_LARGE",
            cure="is the address right, and is it a server of the product, or gitsync's own?",
        )

    def _unreachable(self, error: httpx.TransportError, path: str) -> GitsyncError:
        import httpx

        seen: BaseException | None = error
        while seen is not None:
            if isinstance(seen, ssl.SSLCertVerificationError):
                return ServerError(
                    f"the certificate of {self.address} cannot be trusted: {seen.verify_message}",
                    code="UNTRUSTED_CERTIFICATE",
                    cure="where it is signed by an authority of your own, name its file in SSL_CERT_FILE",
                )
            seen = seen.__cause__ or seen.__context__
        if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.ProxyError):
            return ServerError(f"cannot ask {self.address}: {self.mask(str(error))}")
        if isinstance(error, httpx.TimeoutException):
            return Interrupted(f"{self.address}{path} did not answer in time", cure="is the server well?")
        reason = self.mask(str(error)) or type(error).__name__
        return Interrupted(f"cannot reach {self.address}: {reason}", cure="check the address and the network")

    def _redirected(self, response: httpx.Response) -> GitsyncError:
        target = str(response.headers.get("location", "")).partition("?")[0]
        if re.search(r"sign-?in|log-?in|auth", target, re.IGNORECASE):
            return self._not_signed_in(f"it sends to {target}")
        return ServerError(
            f"{self.address} sends to {target or 'nowhere'}, which is not followed",
            code="UNEXPECTED_ANSWER",
            cure="write the address to which it sends as `url:` (or `--base-url`)",
        )

    def _not_signed_in(self, said: str) -> AccessDenied:
        given = " and ".join(self._credentials.given)
        if not given:
            return AccessDenied(
                f"{self.address} wants to know who asks: {said}",
                cure="give `--cookie`, `--token` or `--api-key`, or set `cookie:`, `token:` or `api_key:`",
            )
        return AccessDenied(
            f"{self.address} does not accept the {given}: {said}",
            cure="sign in again and give the new one; sessions and tokens expire",
        )


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdigit() else 0.0


def _conflicts(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details with the list of conflicts that an error of gitsync has, whatever the server lists."""
    listed = details.get("conflicts")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    keys = [str(row.get("key") or row.get("workflowKey")) for row in rows] or [
        str(details.get("workflowKey"))
    ]
    facts = {"state": "exists", "repository": None, "database": None, "base": None}
    return {**details, "conflicts": [{"key": key, **facts} for key in keys if key != "None"]}
