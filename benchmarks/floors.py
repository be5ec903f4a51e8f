"""What no synchronisation can do without, each in the plainest way: the floors that measures stand on.

Run as a program (``python -S benchmarks/floors.py WHAT ARGUMENT…``), so that a floor is a whole process too;
it imports nothing that it doesn't need.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import sys
from pathlib import Path

BLOCK = 17 * 1024
"""As large as the average document: what is digested at a time."""
TABLES = ("workflow_definitions", "workflow_definition_versions")
FINGERPRINTS = """
    SELECT d.workflow_id, d.xmin, d.ctid, v.own
      FROM workflow_definitions d
      LEFT JOIN (SELECT workflow_id, string_agg(xmin || ' ' || ctid, ' ' ORDER BY ctid) AS own
                   FROM workflow_definition_versions GROUP BY workflow_id) v USING (workflow_id)
     ORDER BY d.workflow_id
"""
"""What tells for each workflow whether its rows have changed."""


def digest(file: str) -> None:
    """SHA-1 over all documents, which lie in one file."""
    with Path(file).open("rb") as documents:
        while block := documents.read(BLOCK):
            hashlib.sha1(block, usedforsecurity=False).hexdigest()


def read(folder: str) -> None:
    """Read all files of a folder."""
    for entry in os.scandir(folder):
        Path(entry.path).read_bytes()


def judge(folder: str) -> None:
    """Read all files of a folder, and SHA-1 each."""
    for entry in os.scandir(folder):
        hashlib.sha1(Path(entry.path).read_bytes(), usedforsecurity=False).hexdigest()


def write(file: str, count: str, folder: str) -> None:
    """Write as many files as there are workflows, with what lies in one file."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    size = Path(file).stat().st_size // int(count)
    with Path(file).open("rb") as documents:
        for number in range(int(count)):
            Path(folder, f"{number:05d}.json").write_bytes(documents.read(size))


def sqlite(file: str) -> None:
    """Read all rows of both tables, and digest their JSON."""
    connection = sqlite3.connect(file)
    for table, column in zip(TABLES, ("draft_definition", "definition_json"), strict=True):
        for row in connection.execute(f"SELECT {column}, * FROM {table} ORDER BY workflow_id"):
            hashlib.sha1(row[0].encode(), usedforsecurity=False).hexdigest()
    connection.close()


def copy_out(url: str) -> None:
    """Both tables by COPY, dropped; where there is no psql."""
    import psycopg

    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for table in TABLES:
            with cursor.copy(f"COPY {table} TO STDOUT".encode()) as rows:
                for _ in rows:
                    pass


def fingerprints(url: str) -> None:
    """The fingerprint of every workflow, dropped; where there is no psql."""
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute(FINGERPRINTS).fetchall()


def copy_in(url: str, folder: str) -> None:
    """Both tables by COPY from files, in one transaction; where there is no psql."""
    import psycopg

    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for table in TABLES:
            with (
                cursor.copy(f"COPY {table} FROM STDIN".encode()) as rows,
                Path(folder, table).open("rb") as file,
            ):
                while block := file.read(1 << 16):
                    rows.write(block)


if __name__ == "__main__":
    {f.__name__: f for f in (digest, read, judge, write, sqlite, copy_out, copy_in, fingerprints)}[
        sys.argv[1]
    ](*sys.argv[2:])
