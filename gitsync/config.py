"""``gitsync.yaml``: what is kept where, and under which names the databases go."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from gitsync.errors import ConfigError, Problem, shortened
from gitsync.masking import ALLOW_VARIABLES, allowed_variables, holds_credential
from gitsync.rules.names import CONFIG_NAME
from gitsync.rules.rule import Severities, Severity
from gitsync.sync.limits import Limits
from gitsync.workflow.yaml_reader import compose_yaml, config_error

FILE_NAME: Final = CONFIG_NAME
FROM_VARIABLE: Final = "GITSYNC_DATABASE_URL"
VARIABLE_ENVIRONMENT: Final = "environment-variable"
"""The name of the environment that FROM_VARIABLE makes."""
_TOP: Final = ("version", "workflows", "registry", "validate", "limits", "default", "environments")
_ENVIRONMENT: Final = (
    "database", "tenant", "actor", "overwrite", "url", "cookie", "token", "api_key", "require_tests",
    "require_coverage",
)  # fmt: skip
_OF_DATABASES: Final = ("actor", "overwrite")
_OF_SERVERS: Final = ("cookie", "token", "api_key")
_OF_CREDENTIALS: Final = ("database", *_OF_SERVERS)
"""The fields that a variable with a credential may stand in: none of them is ever shown as it is."""
_CREDENTIAL_FIELDS: Final = f"{', '.join(_OF_CREDENTIALS[:-1])} and {_OF_CREDENTIALS[-1]}"
_LIMITS: Final = ("overwrite", "delete", "file")
_UNITS: Final = ("B", "KiB", "MiB", "GiB")
_VALIDATE: Final = ("rules",)
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is reached over HTTP, and what to sign in with."""

    url: str
    cookie: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Environment:
    """One database or server under a name; ``overwrite`` is ``recreate`` or ``in-place``.

    database: its URL, empty where there is a `server` instead. require_tests: whether a push runs the tests, and
    wants some. require_coverage: the share, 0 to 1, that they must reach.
    """

    name: str
    database: str = field(repr=False)
    tenant: str | None = None
    actor: str | None = None
    overwrite: str = "recreate"
    server: Server | None = None
    require_tests: bool = False
    require_coverage: float | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """One ``gitsync.yaml``, checked; environments stay unexpanded until one is chosen.

    workflows, registry: relative to the file's own folder. rules: the severities under ``validate``.
    """

    file: str
    workflows: str = "workflows"
    registry: str | None = None
    rules: Severities = Severities()
    limits: Limits = Limits()
    default: str | None = None
    environments: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def environment(
        self, name: str | None, variables: Mapping[str, str], given: Mapping[str, str] | None = None
    ) -> Environment:
        """The environment to work on: `name`, else ``GITSYNC_ENV``, else ``GITSYNC_DATABASE_URL``, else the default.

        variables: the process's; an empty one counts as unset. given: ``tenant``, ``cookie``, ``token`` and
        ``api_key`` of the command line, which stand over a server's own. Raises ConfigError.
        """
        wanted = name or variables.get("GITSYNC_ENV") or None
        url = variables.get(FROM_VARIABLE)
        if wanted is None and url:
            return Environment(
                VARIABLE_ENVIRONMENT,
                url,
                tenant=variables.get("GITSYNC_TENANT") or None,
                actor=variables.get("GITSYNC_ACTOR") or None,
            )
        wanted = wanted or self.default
        if wanted is None and len(self.environments) == 1:
            wanted = next(iter(self.environments))
        if wanted is None:
            raise ConfigError(
                f"{self.file} names no default environment",
                code="NO_ENVIRONMENT",
                cure=f"choose one with `-e NAME` ({', '.join(self.environments) or 'none is defined'}), "
                f"or set {FROM_VARIABLE}",
            )
        if wanted not in self.environments:
            raise ConfigError(
                f"there is no environment {wanted!r} in {self.file}" + _suggest(wanted, self.environments),
                code="UNKNOWN_ENVIRONMENT",
                cure=f"choose one of: {', '.join(self.environments) or '(none)'}",
            )
        own = self.environments[wanted]
        self._check_variables(wanted, own, variables)
        facts = {
            field: _expand(value, variables, self._place(wanted, field), must=field in ("database", "url"))
            for field, value in own.items()
        }
        if "url" in own and given:
            if any(field in given for field in _OF_SERVERS):
                facts = {field: value for field, value in facts.items() if field not in _OF_SERVERS}
            facts |= given
        return Environment(
            wanted,
            facts.get("database", ""),
            tenant=facts.get("tenant") or None,
            actor=facts.get("actor") or None,
            overwrite=facts.get("overwrite") or "recreate",
            server=self._server(wanted, own, facts, variables) if "url" in facts else None,
            require_tests=facts.get("require_tests") == "true" or "require_coverage" in facts,
            require_coverage=_share_of(facts["require_coverage"]) if "require_coverage" in facts else None,
        )

    def _check_variables(self, name: str, own: Mapping[str, str], variables: Mapping[str, str]) -> None:
        """Raise where an environment asks for a variable that is none of its business.

        Whoever may open a pull request writes this file, and a job with secrets reads it.
        """
        asked = {field: _VARIABLE.findall(text) for field, text in own.items()}
        allowed = allowed_variables(variables)
        strange = {
            field: foreign
            for field, names in asked.items()
            if (foreign := [n for n in names if not n.startswith("GITSYNC_") and n not in allowed])
        }
        for place, names in strange.items():
            every = dict.fromkeys([*allowed, *(name for foreign in strange.values() for name in foreign)])
            allow = f"`export {ALLOW_VARIABLES}={','.join(every)}`"
            raise ConfigError(
                f"{self._place(name, place)} asks for the variable {names[0]}, and only GITSYNC_* are expanded",
                code="VARIABLE_NOT_ALLOWED",
                cure=f"{allow}, if whoever edits this file may use it"
                if place in _OF_CREDENTIALS
                else f"write ${{GITSYNC_{place.upper()}}} there; {allow} allows it in {_CREDENTIAL_FIELDS} alone",
            )
        for place, names in asked.items():
            secret = next((n for n in names if holds_credential(n, variables)), None)
            if secret is not None and place not in _OF_CREDENTIALS:
                raise ConfigError(
                    f"{self._place(name, place)} asks for the variable {secret}, which may hold a credential: "
                    f"it is expanded in {_CREDENTIAL_FIELDS} alone",
                    code="VARIABLE_NOT_ALLOWED",
                    cure=f"write ${{GITSYNC_{place.upper()}}} there",
                )

    def _server(
        self, name: str, own: Mapping[str, str], facts: Mapping[str, str], variables: Mapping[str, str]
    ) -> Server:
        """The server of an environment; raises where it names what to sign in with, and no variable of it is set."""
        named = [field for field in _OF_SERVERS if field in own]
        if named and not any(facts.get(field) for field in _OF_SERVERS):
            _expand(own[named[0]], variables, self._place(name, named[0]), must=True)
        secrets = {field: facts.get(field) or None for field in _OF_SERVERS}
        return Server(facts["url"], **secrets)

    def _place(self, name: str, field: str) -> str:
        return f"{self.file}: environments.{name}.{field}"


def _expand(text: str, variables: Mapping[str, str], where: str, *, must: bool) -> str:
    missing = sorted({name for name in _VARIABLE.findall(text) if not variables.get(name)})
    if missing and must:
        raise ConfigError(
            f"{where} needs the environment variable {' and '.join(missing)}, which is not set",
            code="MISSING_VARIABLE",
            cure=f"`export {missing[0]}=…`",
        )
    return _VARIABLE.sub(lambda match: variables.get(match[1], ""), text)


def find_config(folder: Path) -> Path | None:
    """The nearest ``gitsync.yaml``, in `folder` or above it."""
    candidates = (parent / FILE_NAME for parent in (folder, *folder.parents))
    return next((path for path in candidates if path.is_file() or path.is_symlink()), None)


def parse_config(data: bytes, *, file: str) -> Config:
    """The configuration in `data`; raises ConfigError with every fault and its line."""
    node = compose_yaml(data, file=file)
    reader = _Reader(file)
    config = reader.config(node)
    if reader.problems:
        cure = f"mend {file}; `gitsync init` in an empty folder writes one that explains itself"
        raise config_error(reader.problems, cure=cure)
    return config


class _Reader:
    """Turns YAML nodes into a Config, noting each fault with its place."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def config(self, node: Any) -> Config:
        top = {name: value for name, _, value in self._items(node, "", _TOP)}
        version = self._scalar(top.get("version"), "version")
        if version != "1":
            self._fault(
                top.get("version", node),
                "version",
                f"version is {version or 'missing'}; this gitsync reads 1",
            )
        environments = {
            name: self._environment(name, key, value)
            for name, key, value in self._items(top.get("environments"), "")
        }
        default = self._scalar(top.get("default"), "default")
        if default is not None and default not in environments:
            suggestion = _suggest(default, environments)
            self._fault(top["default"], "default", f"there is no environment {default!r}" + suggestion)
        return Config(
            file=self.file,
            workflows=self._folder(top.get("workflows"), "workflows") or "workflows",
            registry=self._folder(top.get("registry"), "registry"),
            rules=self._rules(top.get("validate")),
            limits=self._limits(top.get("limits")),
            default=default,
            environments=environments,
        )

    def _environment(self, name: str, key: Any, node: Any) -> dict[str, str]:
        path = f"environments.{name}"
        if not _NAME.fullmatch(name):
            self._fault(key, path, "an environment's name has letters, digits, '.', '_' and '-' only")
        items = list(self._items(node, path, _ENVIRONMENT))
        facts = {field: self._scalar(value, f"{path}.{field}") or "" for field, _, value in items}
        if ("database" in facts) == ("url" in facts):
            self._fault(node or key, path, "an environment has either `database` or `url`")
        other, strange = ("database", _OF_DATABASES) if "url" in facts else ("url", _OF_SERVERS)
        for own, place, _ in items:
            if own in strange:
                self._fault(place, f"{path}.{own}", f"`{own}` goes with `{other}`, and means nothing here")
        if facts.get("overwrite", "recreate") not in ("recreate", "in-place"):
            self._fault(node, f"{path}.overwrite", "overwrite is `recreate` or `in-place`")
        if facts.get("require_tests", "true") not in ("true", "false"):
            self._fault(node, f"{path}.require_tests", "require_tests is `true` or `false`")
        if _share_of(facts.get("require_coverage", "0%")) is None:
            self._fault(node, f"{path}.require_coverage", "require_coverage is a share such as 80%")
        return facts

    def _rules(self, node: Any) -> Severities:
        found: dict[str, tuple[tuple[str, Severity], ...]] = {}
        for _, _, rules in self._items(node, "validate", _VALIDATE):
            for name, key, value in self._items(rules, "validate.rules"):
                path = f"validate.rules.{name}"
                if known := self._rule(name, key, path):
                    found[known] = tuple(self._severities(value, path))
        return Severities(found)

    def _rule(self, name: str, node: Any, path: str) -> str | None:
        """The id of a rule that a setting may change."""
        from gitsync.rules.catalogue import find_rule, suggest_rule

        rule = find_rule(name)
        if rule is None:
            near = suggest_rule(name)
            self._fault(
                node, path, f"there is no rule {name!r}" + (f"; did you mean {near!r}?" if near else "")
            )
        elif rule.is_fixed:
            self._fault(node, path, f"{name} is always an error: a database could not hold what it refuses")
        else:
            return rule.id
        return None

    def _severities(self, node: Any, path: str) -> Iterator[tuple[str, Severity]]:
        """(glob, severity) pairs, of one severity for all or of a mapping by globs."""
        is_mapped = isinstance(node, yaml.MappingNode)
        pairs = self._items(node, path) if is_mapped else [("*", node, node)]
        for glob, _, value in pairs:
            text = self._scalar(value, path) or ""
            try:
                yield glob, Severity(text)
            except ValueError:
                self._fault(value, path, f"{text!r} is no severity; write error, warning or off")

    def _limits(self, node: Any) -> Limits:
        found = Limits()
        for name, _, value in self._items(node, "limits", _LIMITS):
            match name:
                case "file":
                    found = replace(found, file=self._size(value, "limits.file"))
                case "overwrite":
                    found = replace(found, overwrite=self._share(value, "limits.overwrite"))
                case _:
                    found = replace(found, delete=self._share(value, "limits.delete"))
        return found

    def _size(self, node: Any, path: str) -> int:
        text = self._scalar(node, path) or ""
        size = _size_of(text)
        if size is None:
            self._fault(node, path, f"{text!r} is no size; write it as 16MiB")
        return size or 0

    def _share(self, node: Any, path: str) -> float:
        text = self._scalar(node, path) or ""
        share = _share_of(text)
        if share is None:
            self._fault(node, path, f"{text!r} is no share; write it as 30%")
            return 0.0
        return share

    def _folder(self, node: Any, path: str) -> str | None:
        text = self._scalar(node, path)
        if text is None:
            return None
        pure = PurePosixPath(text)
        if not text or pure.is_absolute() or ".." in pure.parts or "\0" in text:
            self._fault(node, path, f"{text!r} must lie inside the folder of {self.file}")
        if any(part.lower() == ".git" for part in pure.parts):
            self._fault(node, path, f"{text!r} is git's own")
        return "" if str(pure) == "." else str(pure)

    def _items(
        self, node: Any, path: str, known: tuple[str, ...] | None = None
    ) -> Iterator[tuple[str, Any, Any]]:
        if node is None or _is_null(node):
            return
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, path, "expected a mapping")
            return
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            where = f"{path}.{name}".lstrip(".")
            if name in seen:
                self._fault(key, where, f"{name!r} is there twice")
            elif known is not None and name not in known:
                self._fault(key, where, f"unknown key {name!r}" + _suggest(name, known))
            else:
                seen.add(name)
                yield name, key, value

    def _scalar(self, node: Any, path: str) -> str | None:
        if node is None or _is_null(node):
            return None
        if not isinstance(node, yaml.ScalarNode):
            self._fault(node, path, "expected a single value")
            return None
        return str(node.value)

    def _fault(self, node: Any, path: str, message: str) -> None:
        mark = getattr(node, "start_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self.problems.append(
            Problem(self.file, line, column, shortened(path), "INVALID_CONFIG", shortened(message))
        )


def _share_of(text: str) -> float | None:
    """The share that ``30%`` is, 0 to 1; ``None`` for anything else."""
    match = re.fullmatch(r"(\d{1,3})\s*%", text)
    return int(match[1]) / 100 if match and int(match[1]) <= 100 else None


def _size_of(text: str) -> int | None:
    """The bytes that ``16MiB`` is; ``None`` for anything else."""
    match = re.fullmatch(r"(\d{1,9})\s*(B|KiB|MiB|GiB)", text)
    return int(match[1]) * 1024 ** _UNITS.index(match[2]) if match else None


def _is_null(node: Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _suggest(word: str, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
