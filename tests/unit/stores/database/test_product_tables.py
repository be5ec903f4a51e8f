"""The product's tables have one home: no other module states their names, or lists their columns."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitsync.stores.database import product

PACKAGE = Path(product.__file__).parents[2]
HOME = Path(product.__file__)
TABLES = {product.DEFINITIONS, product.VERSIONS, product.WAITS, *product.USERS_OF_IDS}
COLUMNS = {column.name for column in (*product.DEFINITION_COLUMNS, *product.VERSION_COLUMNS)}
FEW = 3
"""A statement may name this many columns; who lists more describes a table."""
OTHERS = [path for path in sorted(PACKAGE.rglob("*.py")) if path != HOME and "migrations" not in path.parts]


def strings(nodes: list[ast.expr]) -> set[str]:
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def collections(tree: ast.AST) -> Iterator[set[str]]:
    """The texts in each display of a tuple, list or set, and among the values of each dict."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
            yield strings(node.elts)
        elif isinstance(node, ast.Dict):
            yield strings(node.values)


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_module_says_what_the_products_tables_are(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]

    named = {
        name
        for name in TABLES
        for text in texts
        if isinstance(text, str) and re.search(rf"\b{name}\b", text) is not None
    }
    lists = [names for items in collections(tree) if len(names := items & COLUMNS) > FEW]

    assert (named, lists) == (set(), [])


def test_each_field_of_the_metadata_has_a_column_of_its_own() -> None:
    assert len(set(product.METADATA_COLUMNS.values())) == len(product.METADATA_COLUMNS) == 14


def test_one_name_means_one_kind_in_all_tables() -> None:
    tables = (product.DEFINITION_COLUMNS, product.VERSION_COLUMNS, *product.USERS_OF_IDS.values())

    wrong = [
        column for columns in tables for column in columns if product.kind_of(column.name) != column.kind
    ]

    assert wrong == []


def test_a_column_that_is_new_to_gitsync_is_a_flag_or_text() -> None:
    assert product.kind_of("is_pinned") is product.Kind.FLAG
    assert product.kind_of("tenant_id") is product.Kind.TEXT
    assert product.kind_of("tenant") is product.Kind.ID
