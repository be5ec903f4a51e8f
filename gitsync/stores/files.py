"""Files of the work tree, written whole, over nothing but what was looked at.

Light, since a hook imports it on every commit.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import threading
from pathlib import Path
from typing import Final, NamedTuple

_ASIDE: Final = ".gitsync-"
_EXCHANGE: Final = 2
"""RENAME_EXCHANGE of renameat2(2), and RENAME_SWAP of macOS's renamex_np(2)."""
_AT_FDCWD: Final = -100
_CANNOT: Final = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV}
"""What a file system or a sandbox answers that has no such call."""


class Held(NamedTuple):
    """What a path leads to: its kind, as `stat.S_IFMT` has it, with a file's bytes or a link's text."""

    kind: int
    data: bytes

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.kind)


def look(path: Path) -> Held | None:
    """What stands at `path` now, never through a link; ``None`` where nothing does."""
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
        if stat.S_ISLNK(kind):
            return Held(kind, os.fsencode(path.readlink()))
        if not stat.S_ISREG(kind):
            return Held(kind, b"")
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return Held(kind, file.read())
    except FileNotFoundError:
        return None


def compare_and_set(path: Path, before: Held | None, after: bytes | None) -> bool:
    """Put `after` (``None``: nothing) where `before` stands; whether it stood there.

    Whatever else is there by then is kept, also if it was saved in the very moment of the change: what is
    replaced is first taken aside, and put back where it isn't `before`. Whoever reads the file sees the old
    content or the new, never a part.
    """
    if look(path) != before or (before and not (before.is_file or stat.S_ISLNK(before.kind))):
        return False
    if before is None and after is None:
        return True
    aside = _aside(path)
    try:
        if after is None:
            return _take_away(path, aside, before)
        _write(aside, after, like=path)
        return _link(aside, path) if before is None else _exchange_for(path, aside, before, after)
    finally:
        aside.unlink(missing_ok=True)


def write_aside(path: Path, data: bytes) -> None:
    """Replace a file in one step, whatever it holds."""
    aside = _aside(path)
    try:
        _write(aside, data, like=path)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the files written aside by processes that were killed before they could rename them."""
    for path in folder.glob(f"{_ASIDE}*-*.tmp"):
        process = path.name.removeprefix(_ASIDE).partition("-")[0]
        if process.isdigit() and not _is_running(int(process)):
            path.unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    return path.parent / f"{_ASIDE}{os.getpid()}-{threading.get_ident()}.tmp"


def _write(aside: Path, data: bytes, *, like: Path) -> None:
    # a new file gets its mode from the umask, as any program's does
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o666)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        if like.is_file():
            os.fchmod(handle, like.stat().st_mode & 0o777)


def _take_away(path: Path, aside: Path, before: Held | None) -> bool:
    try:
        path.rename(aside)
    except FileNotFoundError:
        return True  # somebody else has deleted it
    if look(aside) == before:
        return True
    _link(aside, path)  # unless something newer stands there already
    return False


def _exchange_for(path: Path, aside: Path, before: Held, after: bytes) -> bool:
    try:
        if not _exchange(aside, path):
            if look(path) != before:
                return False
            aside.replace(path)
            return True
        if look(aside) == before:
            return True
        _exchange(aside, path)
        if look(aside) != Held(stat.S_IFREG, after):
            _exchange(aside, path)  # saved once more in between: the newest stays
    except FileNotFoundError:
        pass  # deleted meanwhile
    return False


def _link(aside: Path, path: Path) -> bool:
    """Give a file its second name, where that name is free."""
    try:
        os.link(aside, path, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        if os.path.lexists(path):
            return False
        aside.rename(path)  # the file system has no hard links
    return True


def _exchange(one: Path, other: Path) -> bool:
    """Let two names change places in one step; whether the system can do that."""
    import ctypes

    names = os.fsencode(one), os.fsencode(other)
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        failed = library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE)
    elif sys.platform == "darwin" and hasattr(library, "renamex_np"):
        failed = library.renamex_np(*names, _EXCHANGE)
    else:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # another user's
    return True
