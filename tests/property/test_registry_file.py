"""A registry survives its file, whatever it holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gitsync.workflow.registry import ActionOffer, Registry, read_registry
from gitsync.workflow.registry_file import registry_changes, render_registry
from tests.support.strategies import json_objects

_names = st.from_regex(r"[!-~]([ -~]{0,8}[!-~])?", fullmatch=True)
_schemas = st.one_of(st.none(), json_objects)
registries = st.builds(
    Registry,
    st.dictionaries(
        st.tuples(_names, st.integers(1, 9)), st.builds(ActionOffer, _schemas, _schemas), max_size=3
    ),
    st.frozensets(_names, max_size=3),
    st.dictionaries(_names, _schemas, max_size=3),
)


@given(registries)
def test_a_registry_is_read_back_as_it_was_written(registry: Registry) -> None:
    read = read_registry(render_registry(registry).encode(), file="registry.yaml")

    assert read == registry
    assert not any(registry_changes(registry, read).values())


@given(registries)
def test_the_order_in_which_things_come_changes_nothing(registry: Registry) -> None:
    turned = Registry(
        dict(list(registry.actions.items())[::-1]),
        registry.node_types,
        dict(list(registry.schemas.items())[::-1]),
    )

    assert render_registry(turned) == render_registry(registry)
