"""The repository under examination: whatever in it could stop gitsync, or change what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitsync.doctor.finding import MOST_LISTED, Finding, as_fault, fault, fine, warning
from gitsync.errors import GitError, GitsyncError, listed, plural
from gitsync.stores.git import REPOSITORY_VARIABLES, SETTING_VARIABLES, ZERO
from gitsync.stores.git.commit import CommitSide
from gitsync.stores.git.facts import OLDEST_GIT, GitFacts, plain_attributes
from gitsync.stores.git.library import git_version


def check_git(variables: Mapping[str, str]) -> list[Finding]:
    """Look at the program itself, and what variables hand to it."""
    try:
        numbers, text = git_version()
    except GitError as error:
        return [as_fault("version", error)]
    oldest = ".".join(map(str, OLDEST_GIT))
    findings = [
        fine("version", f"git {text}")
        if numbers >= OLDEST_GIT
        else fault("version", f"git {text}; gitsync needs {oldest} or newer", "update git")
    ]
    names = [name for name in REPOSITORY_VARIABLES if name in variables]
    if names:
        findings.append(
            warning(
                "variables",
                f"{', '.join(names)} would lead git elsewhere; gitsync ignores them, git itself does not",
                f"`unset {' '.join(names)}`",
            )
        )
    if settings := [name for name in SETTING_VARIABLES if name in variables]:
        findings.append(fine("settings", f"{' and '.join(settings)}, which git reads as well"))
    return findings


def check_repository(facts: GitFacts, *, folder: str) -> list[Finding]:
    """Look at everything about one repository; folder: of the workflow files, from its top."""
    return _RepositoryCheckup(facts, folder).findings()


@dataclass(frozen=True, slots=True)
class _RepositoryCheckup:
    facts: GitFacts
    folder: str

    def findings(self) -> list[Finding]:
        """Return what each of the checks finds; one that fails is a finding itself."""
        checks: Sequence[tuple[str, Callable[[], Iterator[Finding]]]] = (
            ("repository", self._kind),
            ("head", self._head),
            ("identity", self._identity),
            ("history", self._history),
            ("partial clone", self._partial),
            ("files", self._files),
            ("hooks", self._hooks),
            ("workflows", self._workflows),
        )
        findings: list[Finding] = []
        for name, check in checks:
            try:
                findings += check()
            except GitsyncError as error:
                findings.append(as_fault(name, error))
            except OSError as error:
                findings.append(
                    fault(name, f"cannot read {error.filename}: {error.strerror}", "check its rights")
                )
        return findings

    def _kind(self) -> Iterator[Finding]:
        kind = "bare" if self.facts.is_bare else "a linked work tree" if self.facts.is_linked else ""
        yield fine("repository", f"{self.facts.top}" + (f" ({kind})" if kind else ""))
        if word := self.facts.in_progress:
            yield warning(
                "unfinished",
                f"a {word} is in progress; `pull --commit` would become part of it and refuses",
                f"`git {word} --continue` or `git {word} --abort`",
            )

    def _head(self) -> Iterator[Finding]:
        commit, branch = self.facts.resolve("HEAD"), self.facts.branch
        if commit is None:
            yield warning("head", "there is no commit yet", "`git add` and `git commit` the workflows")
        else:
            yield fine("head", f"{commit[:10]} on {branch}" if branch else f"{commit[:10]}, on no branch")

    def _identity(self) -> Iterator[Finding]:
        try:
            self.facts.check_identity()
        except GitError as error:
            yield warning(
                "identity",
                "git doesn't know who commits here; `pull --commit` and `pull --branch` need it",
                error.cure or "",
            )
        else:
            yield fine("identity", "git knows who commits")

    def _history(self) -> Iterator[Finding]:
        count = self.facts.visible(self.facts.resolve("HEAD") or ZERO)
        commits = plural(count, "commit")
        if self.facts.shallow_boundary():
            yield warning(
                "history",
                f"a shallow clone with {commits}; older ones may be needed to tell which side moved",
                "`git fetch --unshallow`, in CI `fetch-depth: 0`",
            )
        else:
            yield fine("history", f"complete, {commits}")
        if self.facts.replaced:
            yield warning(
                "replaced objects",
                f"{self.facts.replaced} objects are replaced (`git replace`); gitsync reads the originals, git shows the others",
                "`git replace --list`; `git replace --delete OBJECT`",
            )
        if self.facts.has_grafts:
            yield warning(
                "grafts",
                "a grafts file rewrites the history that is seen here",
                f"`rm {self.facts.git_dir}/info/grafts`",
            )

    def _partial(self) -> Iterator[Finding]:
        if remotes := self.facts.promisors:
            yield warning(
                "partial clone",
                f"objects may be missing here and are not fetched by gitsync (from {', '.join(remotes)})",
                "`git fetch --refetch --no-filter` and `git config --unset remote.origin.partialCloneFilter`, or a new "
                "clone without `--filter`",
            )

    def _files(self) -> Iterator[Finding]:
        """Look for whatever git does to a workflow's file on its way between repository and work tree."""
        if self.facts.is_bare:
            return
        self.facts.check_holds(self.folder)
        path = f"{self.folder}/a.json" if self.folder else "a.json"
        inside = f"{self.folder}/.gitattributes" if self.folder else ".gitattributes"
        attributes = self.facts.attributes(path)
        changes = [
            f"`{name}={attributes[name]}` changes the files"
            for name in ("filter", "ident", "working-tree-encoding")
            if attributes.get(name, "unset") not in ("unset", "")
        ]
        text, crlf = attributes.get("text"), self.facts.settings.get("core.autocrlf", "false").lower()
        is_crlf = attributes.get("eol") == "crlf" or (crlf == "true" and "eol" not in attributes)
        if text != "unset" and is_crlf:
            changes.append("lines end in CRLF in the work tree")
            if self.facts.is_on("core.safecrlf"):
                changes.append("`core.safecrlf` makes git refuse to add what gitsync writes")
        if changes:
            yield warning("attributes", "; ".join(changes), plain_attributes(self.folder))
        if attributes.get("merge", "set") != "set":
            yield warning(
                "merge driver",
                f"workflow files are not merged as text (`merge={attributes['merge']}`), so `git merge` after "
                "`pull --branch` takes one side whole",
                f"`echo '*.json merge' >> {inside}`, and commit it",
            )
        if self.facts.is_ignored(path):
            yield warning(
                "ignored",
                f"git is told to ignore {self.folder or '.'}: `git add` leaves new workflows out",
                f"`git check-ignore -v {path}` shows the rule",
            )
        hidden = (
            sorted(self.facts.unwatched(self.folder)) if not self.facts.is_on("core.sparsecheckout") else []
        )
        if hidden:
            yield warning(
                "unwatched",
                f"git is told not to look at {listed(hidden, MOST_LISTED)}: your edits there are not seen by `git commit`",
                "`git update-index --no-assume-unchanged --no-skip-worktree FILE`",
            )

    def _hooks(self) -> Iterator[Finding]:
        if hooks := self.facts.hooks:
            yield fine(
                "hooks", f"{', '.join(hooks)}; they run for your commits, not for those of `gitsync pull`"
            )

    def _workflows(self) -> Iterator[Finding]:
        commit = self.facts.resolve("HEAD") or ZERO
        side = CommitSide(
            self.facts, folder=self.folder, commit=commit, is_checked_out=not self.facts.is_bare
        )
        for problem in side.misplaced:
            yield fault("out of place", f"{problem.file}: {problem.message}", problem.cure)
        if side.revision is None:
            return
        if side.blobs:
            yield fine("workflows", f"{plural(len(side.blobs), 'file')} in {self.folder or '.'} at HEAD")
        else:
            yield warning(
                "workflows",
                f"no workflow file in {self.folder or '.'} at HEAD",
                "`gitsync pull --commit` brings those of the database",
            )
        for problem in side.strays:
            yield fault("stray file", f"{problem.file}: {problem.message}", problem.cure)
