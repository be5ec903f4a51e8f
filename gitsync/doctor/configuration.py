"""The configuration under examination: each environment expanded, or why not."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from gitsync.config import FILE_NAME, FROM_VARIABLE, Config, Environment
from gitsync.doctor.finding import Finding, as_fault, fault, fine, warning
from gitsync.errors import ConfigError, plural
from gitsync.stores.git.facts import GitFacts
from gitsync.workflow.registry import read_registry

_PASSWORD: Final = re.compile(r"://[^/@:]*:(?!\$\{)[^/@]+@|[?&](?:password|sslpassword)=(?!\$\{)[^&]+")


def as_findings(error: ConfigError) -> list[Finding]:
    """Return each fault of a configuration that cannot be read, with its place."""
    problems = error.details.get("problems", ())
    if not problems:
        return [as_fault("file", error)]
    return [
        fault(
            "file", f"{row['file']}:{row['line']}:{row['column']}: {row['path']}: {row['message']}", "mend it"
        )
        for row in problems
    ]


def check_environments(
    config: Config, chosen: str | None, variables: Mapping[str, str], mask: Callable[[str], str]
) -> tuple[list[Finding], Environment | None]:
    """Return what is to say of each environment, and the one to work on if it can be used.

    chosen: the name given on the command line. mask: takes the secrets out of a database's URL.
    """
    findings: list[Finding] = []
    environment: Environment | None = None
    try:
        environment = config.environment(chosen, variables)
    except ConfigError as error:
        findings.append(as_fault("environment", error))
    else:
        why = _why(config, environment.name, chosen, variables)
        tenant = f", tenant {environment.tenant}" if environment.tenant else ""
        address = mask(environment.database) if environment.server is None else environment.server.url
        findings.append(fine("environment", f"{environment.name} ({why}): {address}{tenant}"))
    for name in config.environments:
        findings += _other(config, name, environment, variables)
    return findings, environment


def check_registry(config: Config, read: Callable[[str], bytes | None]) -> Iterator[Finding]:
    """Look at the registry as it stands in the commit; read: path → content."""
    if config.registry is None:
        yield fine("registry", "none is configured: what workflows need is not compared with the runtime")
        return
    data = read(config.registry)
    if data is None:
        yield fault(
            "registry",
            f"{config.registry} is not in the commit that a push sends",
            f"commit {config.registry}, or take `registry:` out of {config.file}",
        )
        return
    try:
        registry = read_registry(data, file=config.registry)
    except ConfigError as error:
        yield as_fault("registry", error)
    else:
        yield fine("registry", f"{config.registry}, {plural(len(registry.actions), 'action')}")


def check_committed(git: GitFacts, folder: Path) -> list[Finding]:
    """Return a warning where the configuration in `folder` differs from the one that a push reads."""
    file = folder / FILE_NAME
    if git.is_bare or not file.is_file():
        return []
    path = os.path.relpath(file.resolve(), git.top.resolve())
    if path not in git.uncommitted(path):
        return []
    return [
        warning(
            "uncommitted",
            f"{path} is not committed as it stands; a push reads `workflows` and `registry` from its commit",
            f"`git add {path}` and `git commit`",
        )
    ]


def _why(config: Config, name: str, chosen: str | None, variables: Mapping[str, str]) -> str:
    if chosen:
        return "by -e"
    if variables.get("GITSYNC_ENV"):
        return "by GITSYNC_ENV"
    if variables.get(FROM_VARIABLE):
        return f"by {FROM_VARIABLE}"
    return "the default" if config.default == name else "the only one"


def _other(
    config: Config, name: str, chosen: Environment | None, variables: Mapping[str, str]
) -> Iterator[Finding]:
    """Say whether one entry of the file can be used; nobody connects to it."""
    if _PASSWORD.search(config.environments[name].get("database", "")):
        yield warning(
            f"environment {name}",
            f"a password stands in {config.file}, where everybody reads it who reads the repository",
            'put it into a variable: `database: "${GITSYNC_DATABASE_URL}"`',
        )
    if chosen is not None and chosen.name == name:
        return
    try:
        config.environment(name, variables)
    except ConfigError as error:
        yield warning(f"environment {name}", f"cannot be used from here: {error.message}", error.cure or "")
    else:
        yield fine(f"environment {name}", "can be used with `-e`")
