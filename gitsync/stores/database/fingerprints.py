"""What tells, without reading a document, whether a workflow's rows are those of an earlier look.

A row's place and the transaction that wrote it (``ctid`` and ``xmin``) name one version of the row: whoever
changes the row, by whatever means, makes another. They are no property of the content, though: a restored
database may use the same numbers again. So fingerprints are compared only within one `Stamp`: the same server,
running since the same moment, the same tables, the same way to make a digest.

Source: PostgreSQL manual, "System Columns", "Transaction ID and Snapshot Information Functions" and
"Control Data Functions".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, Table, func, literal_column, select, text

import gitsync
from gitsync.stores.database.product import DEFINITIONS, VERSIONS
from gitsync.stores.database.tables import Tables
from gitsync.workflow.document import FORMAT_VERSION

DIGEST_VERSION: Final = 1
"""Counts the ways in which rows became digests; raised whenever the same rows would give another digest."""

MOST_TRANSACTIONS: Final = 2**31
"""How many transactions may lie between two looks: after twice as many, numbers come again."""

_SERVER: Final = text("""
    SELECT has_function_privilege(to_regprocedure('pg_control_system()'), 'EXECUTE')
           AND has_function_privilege(to_regprocedure('pg_control_checkpoint()'), 'EXECUTE') AS may_look,
           pg_snapshot_xmax(pg_current_snapshot())::text AS horizon,
           concat_ws(' ', current_setting('server_version_num'), d.oid, current_user,
                     extract(epoch FROM pg_postmaster_start_time()), extract(epoch FROM b.stats_reset)) AS own
      FROM pg_database d, pg_stat_bgwriter b WHERE d.datname = current_database()
""")
_CLUSTER: Final = text("""
    SELECT s.system_identifier || ' ' || c.timeline_id FROM pg_control_system() s, pg_control_checkpoint() c
""")
_SHAPE: Final = text("""
    SELECT c.relkind = 'r' AND NOT c.relhassubclass AND m.amname = 'heap'
           AND has_table_privilege(c.oid, 'SELECT') AS is_plain,
           c.oid || ' ' || string_agg(concat_ws(' ', a.attnum, a.attname, format_type(a.atttypid, a.atttypmod)),
                                      ',' ORDER BY a.attnum) AS shape
      FROM unnest(CAST(:tables AS text[])) WITH ORDINALITY AS t (name, place)
      JOIN pg_class c ON c.oid = to_regclass(t.name) LEFT JOIN pg_am m ON m.oid = c.relam
      JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE a.attnum > 0 AND NOT a.attisdropped
     GROUP BY t.place, c.oid, c.relkind, c.relhassubclass, m.amname ORDER BY t.place
""")


@dataclass(frozen=True, slots=True)
class Stamp:
    """One look at the fingerprints.

    binding: 64 hexadecimal digits for all that they hold for; fingerprints of another binding mean nothing.
    horizon: number of the first transaction that had not begun, without wraparound.
    lines: one for each definition row of the tenant, by id: ``id xmin ctid`` and ``xmin ctid`` of each of its
    version rows.
    """

    binding: str
    horizon: int
    lines: str


def read_stamp(connection: Connection, tables: Tables) -> Stamp | None:
    """The fingerprints of all rows of the tenant, as the connection's transaction sees them.

    ``None`` where there are none to trust: on SQLite and Citus, with views or partitions in the tables' place,
    without the right to all columns or to what tells this server from others, and without rows.
    """
    found = tables.found
    if not found.is_postgresql or found.is_citus or found.definitions.get("workflow_id") != "uuid":
        return None
    server = connection.execute(_SERVER).one()
    shapes = connection.execute(_SHAPE, {"tables": [DEFINITIONS, VERSIONS]}).all()
    if not server.may_look or len(shapes) != 2 or not all(table.is_plain for table in shapes):
        return None
    cluster = connection.execute(_CLUSTER).scalar_one()
    own = (gitsync.__version__, str(FORMAT_VERSION), str(DIGEST_VERSION))
    facts = (cluster, server.own, *(table.shape for table in shapes), tables.tenant or "", *own)
    lines = connection.execute(_lines_query(tables)).scalar()
    if not lines:
        return None
    binding = hashlib.sha256("\0".join(facts).encode()).hexdigest()
    return Stamp(binding, int(server.horizon), lines)


def is_within_reach(earlier: int, horizon: int) -> bool:
    """Whether fingerprints of the horizon `earlier` may be compared with those of `horizon`.

    Not those of the future, which a restored backup has never seen, and none so old that numbers came again.
    """
    return earlier <= horizon < earlier + MOST_TRANSACTIONS


def _lines_query(tables: Tables) -> Select[Any]:
    """All lines as one value: rows apart would cost more to carry than to make."""
    definitions, versions = tables.definitions, tables.versions
    place, writer = _system(versions, "ctid"), _system(versions, "xmin")
    own = (
        select(
            versions.c.workflow_id,
            func.string_agg(func.concat_ws(" ", writer, place), " ").aggregate_order_by(place).label("rows"),
        )
        .where(tables.owned_versions())
        .group_by(versions.c.workflow_id)
        .subquery("own")
    )
    line = func.concat_ws(
        " ",
        definitions.c.workflow_id,
        _system(definitions, "xmin"),
        _system(definitions, "ctid"),
        own.c.rows,
    )
    joined = definitions.outerjoin(own, own.c.workflow_id == definitions.c.workflow_id)
    return (
        select(func.string_agg(line, "\n").aggregate_order_by(definitions.c.workflow_id))
        .select_from(joined)
        .where(tables.owned())
    )


def _system(table: Table, name: str) -> ColumnElement[Any]:
    return literal_column(f"{table.name}.{name}")
