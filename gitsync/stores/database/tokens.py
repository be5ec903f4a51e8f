"""Tokens for the server: made once, shown once, kept as hashes; one list per database and tenant."""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, insert, select, update

from gitsync.errors import Conflict, DatabaseError, GitsyncError
from gitsync.stores.database.connect import reading, writing
from gitsync.stores.database.faults import translated
from gitsync.stores.database.lock import lock
from gitsync.stores.database.schema import Found, check_ledger_place, check_tables, check_tenant, look
from gitsync.stores.database.tables import Tables, tables_of

_TOKEN: Final = re.compile(r"gitsync_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@ -]{0,99}")
_NO_HASH: Final = hashlib.sha256(b"").hexdigest()


class Role(enum.StrEnum):
    """What a token allows: to look, or everything."""

    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token, which is everything but the token; times as the database writes them."""

    id: str
    name: str
    role: Role
    created_at: Any
    revoked_at: Any = None


class Tokens:
    """The tokens of one database and tenant.

    address: the database's, masked. Each method raises DatabaseError (MISSING_TOKENS) where a ledger older than
    version 0002 has no table for them, and what the database raises.
    """

    def __init__(self, engine: Engine, *, tenant: str | None, address: str) -> None:
        self._engine, self._tenant, self._address = engine, tenant, address

    def add(self, name: str, role: Role) -> str:
        """A new token; nobody can ever read it again.

        Raises GitsyncError (INVALID_NAME), and Conflict (TOKEN_EXISTS) where a token of this name is in use.
        """
        if not _NAME.fullmatch(name):
            raise GitsyncError(
                f"{name!r} cannot name a token",
                code="INVALID_NAME",
                cure="use letters, digits, '.', '_', '@', '-' and blanks, at most 100",
            )
        token_id = secrets.token_hex(6)
        token = f"gitsync_{token_id}_{secrets.token_urlsafe(32)}"
        with self._writing() as (connection, tables):
            if any(held.name == name for held in _read(connection, tables, with_revoked=False)):
                raise Conflict(
                    f"there is a token {name!r} already",
                    code="TOKEN_EXISTS",
                    cure=f"`gitsync token revoke {name}` first, or take another name",
                )
            row = {
                "tenant": tables.ledger_tenant,
                "id": token_id,
                "name": name,
                "role": role.value,
                "hash": _hash(token),
                "created_at": tables.now(),
            }
            connection.execute(insert(tables.tokens).values(row))
        return token

    def list(self, *, with_revoked: bool = False) -> Sequence[Token]:
        """The tokens in use, by name; `with_revoked` those of old as well."""
        with self._reading() as (connection, tables):
            return _read(connection, tables, with_revoked=with_revoked)

    def revoke(self, name: str) -> None:
        """End the token's use at once; raises GitsyncError (UNKNOWN_TOKEN) where none in use has this name."""
        with self._writing() as (connection, tables):
            table = tables.tokens
            statement = update(table).where(
                table.c.tenant == tables.ledger_tenant, table.c.name == name, table.c.revoked_at.is_(None)
            )
            if not connection.execute(statement.values(revoked_at=tables.now())).rowcount:
                raise GitsyncError(
                    f"there is no token {name!r} in use",
                    code="UNKNOWN_TOKEN",
                    cure="`gitsync token list` shows those that are",
                )

    def find(self, token: str) -> Token | None:
        """The token in use that `token` is, ``None`` for any other text; hashes are compared in constant time.

        What has not the form of a token costs no query.
        """
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        with self._reading() as (connection, tables):
            table = tables.tokens
            query = select(table).where(table.c.tenant == tables.ledger_tenant, table.c.id == match[1])
            row = connection.execute(query).mappings().first()
        held = row["hash"] if row is not None else _NO_HASH
        is_same = hmac.compare_digest(held, _hash(token))
        if row is None or not is_same or row["revoked_at"] is not None:
            return None
        return _token(row)

    def check(self) -> None:
        """Raise where no token could be found now."""
        with self._reading():
            pass

    @contextmanager
    def _reading(self) -> Iterator[tuple[Connection, Tables]]:
        with translated(self._address), reading(self._engine) as connection:
            yield connection, self._look(connection)

    @contextmanager
    def _writing(self) -> Iterator[tuple[Connection, Tables]]:
        with translated(self._address), writing(self._engine) as connection:
            tables = self._look(connection)
            lock(connection, tenant=f"tokens of {tables.ledger_tenant}", address=self._address)
            yield connection, tables

    def _look(self, connection: Connection) -> Tables:
        found = look(connection)
        check_tables(found)
        check_tokens(found)
        return tables_of(connection, found, check_tenant(found, self._tenant))


def is_token(text: str) -> bool:
    """Whether `text` has the form of a token, as all have that `Tokens.add` makes."""
    return _TOKEN.fullmatch(text) is not None


def check_tokens(found: Found) -> None:
    """Raise DatabaseError (MISSING_TOKENS) where there is no table of tokens."""
    check_ledger_place(found)
    if not found.has_tokens:
        what = f"a ledger of version {found.ledger_version}" if found.has_ledger else "no gitsync ledger"
        raise DatabaseError(
            f"the database has {what}, and so no table of tokens",
            code="MISSING_TOKENS",
            cure="`gitsync db init` brings it up to date",
        )


def _read(connection: Connection, tables: Tables, *, with_revoked: bool) -> list[Token]:
    table = tables.tokens
    query = select(table).where(table.c.tenant == tables.ledger_tenant)
    if not with_revoked:
        query = query.where(table.c.revoked_at.is_(None))
    rows = connection.execute(query.order_by(table.c.name, table.c.created_at)).mappings()
    return [_token(row) for row in rows]


def _token(row: Any) -> Token:
    return Token(row["id"], row["name"], Role(row["role"]), row["created_at"], row["revoked_at"])


def _hash(token: str) -> str:
    """SHA-256, which is enough for 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
