"""Files of the work tree: which are workflows, and how one is written whole.

Light, since a hook imports it on every commit.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gitsync.errors import Problem
from gitsync.workflow.rules.names import doubtful_names, find_out_of_place

_ASIDE: Final = ".gitsync-"


def misplaced_files(folder: Path, *, shown: str) -> list[Problem]:
    """A FILE_OUT_OF_PLACE for each workflow's file in a subfolder of `folder`; shown: the folder in messages."""
    try:
        taken = {entry.name for entry in os.scandir(folder)}
    except OSError:
        return []  # not there, or told by whoever reads it
    names = doubtful_names([*_iter_below(folder)])
    contents = ((name, (folder / name).read_bytes()) for name in names)
    return find_out_of_place(contents, folder=shown, taken=taken)


def _iter_below(folder: Path) -> Iterator[str]:
    """The regular files in subfolders, as paths from `folder`; other repositories and links are passed over."""
    for here, folders, names in os.walk(folder):
        inside = os.path.relpath(here, folder)
        if ".git" in (*folders, *names) and inside != ".":
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if name != ".git")
        if inside != ".":
            paths = (Path(here, name) for name in names)
            yield from (f"{inside}/{path.name}" for path in paths if path.is_file() and not path.is_symlink())


def write_aside(path: Path, data: bytes) -> None:
    """Replace a file in one step: whoever reads it sees the old content or the new, never a part."""
    target = os.fspath(path)
    aside = f"{os.path.dirname(target)}/{_ASIDE}{os.getpid()}-{threading.get_ident()}.tmp"  # noqa: PTH120
    try:
        # a new file gets its mode from the umask, as any program's does; pathlib takes twice the time here
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if os.path.isfile(target):  # noqa: PTH113
                os.fchmod(handle, os.stat(target).st_mode & 0o777)  # noqa: PTH116
        os.replace(aside, target)  # noqa: PTH105
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove the files written aside by processes that were killed before they could rename them."""
    for path in folder.glob(f"{_ASIDE}*-*.tmp"):
        process = path.name.removeprefix(_ASIDE).partition("-")[0]
        if process.isdigit() and not _is_running(int(process)):
            path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # another user's
    return True
