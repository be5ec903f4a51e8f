"""Draws the vectors of `tests/fixtures/base_vectors.json.gz` from an executable model of the sync's rules.

    python -m tests.support.base_vectors MODEL.py

The model is a reference of its own, not a part of gitsync. Each vector is one question that a random history
put to it: the commits of one clone, the ledger's marks, what both sides hold, and the state that it answered.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "fixtures" / "base_vectors.json.gz"
STATES = {
    "new-in-repo": "new-in-repository",
    "new-in-db": "new-in-database",
    "deleted-in-git": "deleted-in-repository",
    "deleted-in-db": "deleted-in-database",
    "repo-ahead": "repository-ahead",
}
TODAY = {"came_back": "newest", "pull_after_older": False, "rename": "never"}
"""The rules of the model that gitsync follows; those that undo, rename and watch need are stricter."""


def load_model(path: str) -> Any:
    """The model as a module."""
    spec = importlib.util.spec_from_file_location("model", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    sys.modules["model"] = module
    spec.loader.exec_module(module)
    return module


def draw(model: Any, *, histories: int, seed: int, most: int) -> list[dict[str, Any]]:
    """At most `most` different vectors per state."""
    found: dict[str, list[dict[str, Any]]] = {}
    seen: set[str] = set()

    class Recorder(model.World):  # type: ignore[misc]
        clone: Any = None

        def introduced(self, commits: Any, key: str) -> Any:
            hidden = self.clone.shallow if self.clone else ()
            return super().introduced([c for c in commits if c not in hidden], key)

        def classify(self, cl: Any, env: str, c: int, key: str, R: str | None) -> Any:  # noqa: N803 (the model's own name)
            self.clone = cl
            state, base = super().classify(cl, env, c, key, R)
            rows = self.envs[env].rows
            held = rows[key].token if key in rows else None
            if held != R:
                self.note(cl, env, c, key, R, held, state, base)
            return state, base

        def note(
            self,
            cl: Any,
            env: str,
            c: int,
            key: str,
            repository: str | None,
            held: str | None,
            state: str,
            base: Any,
        ) -> None:
            store, e = self.s, self.envs[env]
            marked = {m.commit for m in e.marks[key]}
            hidden = marked - cl.have
            if any(h in store.anc(m) for h in hidden for m in marked & cl.have):
                return  # the model sees behind a shallow boundary here, which no clone can
            if any(not store.commits[s].parents for s in cl.shallow):
                return  # git calls no commit shallow that has no parents
            wanted = {c} | {m.commit for m in e.marks[key] if m.commit in cl.have}
            behind = set().union(*(self.visible(cl, w)[0] for w in wanted))
            commits = []
            for i in sorted(behind):
                commit = store.commits[i]
                entry = commit.at(key)
                pulls = [
                    [token, number]
                    for name, k, token, number in commit.pulled
                    if name == env and k == key and entry.token == token
                ]
                commits.append([i, list(commit.parents), entry.token, int(entry.canonical), pulls])
            vector = {
                "commit": c,
                "commits": commits,
                "shallow": sorted(s for s in cl.shallow if s in behind and store.commits[s].parents),
                "isShallow": bool(cl.shallow),
                "marks": [
                    [m.kind, m.token, m.commit, m.seq, m.prev, int(m.fresh)] for m in reversed(e.marks[key])
                ]
                if e.ledger
                else [],
                "database": held,
                "repository": repository,
                "state": STATES.get(state, state),
                "base": None if base is model.UNSET else [base],
            }
            text = json.dumps(vector)
            group = found.setdefault(
                f"{vector['state']}{bool(vector['isShallow'])}{bool(vector['marks'])}", []
            )
            if text not in seen and len(group) < most:
                seen.add(text)
                group.append(vector)

    rng = random.Random(seed)
    pool = [step for step in model.sized(model.STEPS) for _ in range(step[1])]
    for i in range(histories):
        rules = replace(model.RULES[("amended", "amended-readonly-pulls")[i % 2]], **TODAY)
        world = Recorder(rules, set(), ledger=i % 5 != 0)
        for _ in range(45):
            name, _, sizes = rng.choice(pool)
            world.do(name, *(rng.randrange(size) for size in sizes))
    return [vector for state in sorted(found) for vector in found[state]]


if __name__ == "__main__":
    vectors = draw(load_model(sys.argv[1]), histories=4000, seed=1, most=120)
    lines = "[\n" + ",\n".join(json.dumps(vector, separators=(",", ":")) for vector in vectors) + "\n]\n"
    FILE.write_bytes(gzip.compress(lines.encode(), 9, mtime=0))
    sys.stdout.write(f"{len(vectors)} vectors, {FILE.stat().st_size} bytes\n")
