"""What a driver's error means to a person: one table from server codes to the family of errors.

A driver speaks of sockets and SQLSTATEs; a person needs to know what, where and what to type next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from gitsync.errors import AccessDenied, DatabaseError, GitsyncError, LockNotAcquired, PlanStale
from gitsync.stores.database.product import DEFINITIONS

ATTEMPTS: Final = 4
"""How often a transaction is tried that the server breaks off."""

_LOCKED: Final = {"55P03"}
_BROKEN_OFF: Final = {"40P01", "40001"}
_REFUSED: Final = {"42501"}
_READ_ONLY: Final = {"25006"}
T = TypeVar("T")
_CHECK_URL: Final = "check the address and that the server runs, then `gitsync db check`"


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Turn a driver's errors inside the block into GitsyncError; `address` is the masked URL."""
    try:
        yield
    except DBAPIError as error:
        raise explain(error, address) from error
    except NoSuchModuleError as error:
        raise DatabaseError(f"{address}: {error}", code="INVALID_DATABASE_URL") from error
    except SQLAlchemyError as error:
        raise DatabaseError(f"{address}: {_first_line(str(error))}") from error


def retried(work: Callable[[], T]) -> T:
    """What `work` gives, tried again where the server broke its transaction off for another's sake.

    That is a deadlock or a serialization failure: the transaction was rolled back whole, and may well succeed.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    attempts = Retrying(
        retry=retry_if_exception(_is_broken_off),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        reraise=True,
    )
    return attempts(work)


def _is_broken_off(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _BROKEN_OFF


def explain(error: DBAPIError, address: str) -> GitsyncError:
    """The error that says what `error` means; the driver's own words stay in it."""
    original = error.orig
    text = _first_line(str(original))
    state = getattr(original, "sqlstate", None)
    if type(original).__module__.startswith("sqlite3"):
        return _explain_sqlite(text, address)
    if state is None:
        return _explain_connection(original, " ".join(str(original).split()), address)
    return _explain_state(str(state), original, text, address)


def _explain_state(state: str, original: object, text: str, address: str) -> GitsyncError:
    if state in _BROKEN_OFF:
        return LockNotAcquired(
            f"{address}: {text}, {ATTEMPTS} times in a row; nothing was written",
            cure="others are writing the same workflows: try again when they are done",
        )
    if state in _LOCKED:
        return LockNotAcquired(
            f"{address}: {text}; nothing was written",
            cure="someone is working on these rows: try again, or wait longer with `--lock-timeout`",
        )
    if state in _REFUSED:
        return AccessDenied(
            f"{address}: {text}; nothing was written",
            cure="grant the role of the URL this right; `gitsync db check` lists the rights that are missing",
        )
    if state in _READ_ONLY:
        return read_only(f"{address}: {text}; nothing was written")
    if state.startswith("28"):
        return _bad_login(text, address)
    if state == "3D000":
        return _unknown_database(text, address)
    if state == "23505" and _table(original) == DEFINITIONS:
        return PlanStale(
            f"{address}: another write took one of the keys meanwhile ({text}); nothing was written",
            cure="run the command again",
        )
    if state == "57014":
        return DatabaseError(
            f"{address}: {text}; nothing was written",
            code="DATABASE_TIMEOUT",
            cure="try again when the server is less busy, or allow more time",
        )
    if state.startswith(("08", "57P")):
        return DatabaseError(f"{address}: {text}", code="DATABASE_UNREACHABLE", cure=_CHECK_URL)
    return DatabaseError(f"{address}: {text} [{state}]; nothing was written")


def read_only(message: str) -> AccessDenied:
    """The error for a server that nobody may write to."""
    return AccessDenied(
        message,
        code="READ_ONLY_SERVER",
        cure="write to the primary: give its address, or all hosts with `?target_session_attrs=read-write`",
    )


def _explain_connection(original: object, text: str, address: str) -> GitsyncError:
    """The meaning of an error without a SQLSTATE: libpq's, made before or while connecting."""
    pgconn = getattr(original, "pgconn", None)
    asked = bool(getattr(pgconn, "used_password", False) or getattr(pgconn, "needs_password", False))
    signs = ("authentication failed", "no password supplied", "pg_hba.conf", "not permitted to log in")
    if any(sign in text for sign in signs) or ('role "' in text and "does not exist" in text):
        return _bad_login(text, address)
    if 'database "' in text and "does not exist" in text:
        return _unknown_database(text, address)
    if "permission denied for database" in text:
        return _bad_login(text, address)
    if "unsupported startup parameter" in text:
        return DatabaseError(
            f"{address}: {text}",
            code="DATABASE_UNREACHABLE",
            cure="a pooler stands before the server: take `options` out of the address, and let "
            "`ALTER ROLE … SET search_path = …` do its work",
        )
    if asked and "FATAL" not in text and "failed:" not in text:
        return _bad_login(text, address)
    return DatabaseError(f"{address} cannot be reached: {text}", code="DATABASE_UNREACHABLE", cure=_CHECK_URL)


def _explain_sqlite(text: str, address: str) -> GitsyncError:
    if "locked" in text or "busy" in text:
        return LockNotAcquired(
            f"{address}: another run is writing to it ({text}); nothing was written",
            cure="try again, or wait longer with `--lock-timeout`",
        )
    if "readonly" in text or "read-only" in text:
        return AccessDenied(f"{address}: the file is read-only; nothing was written", cure="check its rights")
    if "not a database" in text or "malformed" in text or "encrypted" in text:
        return DatabaseError(f"{address}: {text}", code="NOT_A_DATABASE", cure="check the path")
    if "unable to open" in text:
        return AccessDenied(f"{address}: {text}", cure="check the rights of the file and of its folder")
    if f"UNIQUE constraint failed: {DEFINITIONS}" in text:
        return PlanStale(f"{address}: {text}; nothing was written", cure="run the command again")
    return DatabaseError(f"{address}: {text}; nothing was written")


def _bad_login(text: str, address: str) -> AccessDenied:
    return AccessDenied(f"{address}: {text}", cure="check user and password in the database's URL")


def _unknown_database(text: str, address: str) -> DatabaseError:
    return DatabaseError(
        f"{address}: {text}", code="UNKNOWN_DATABASE", cure="check the database's name, or `createdb` it"
    )


def _table(original: object) -> str | None:
    table = getattr(getattr(original, "diag", None), "table_name", None)
    return table if isinstance(table, str) else None


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else "no message"
