"""The packages that the server alone needs, which come with an extra."""

from __future__ import annotations

from gitsync.errors import GitsyncError

_PACKAGES = frozenset({"starlette", "uvicorn", "anyio", "prometheus_client"})


def missing_extra(error: ModuleNotFoundError) -> Exception:
    """Return the error to show where a package of the extra is not installed, else `error` itself."""
    if error.name not in _PACKAGES:
        return error
    return GitsyncError(
        f"`gitsync serve` needs {error.name}, which is not installed",
        code="MISSING_EXTRA",
        cure="pip install 'gitsync-workflows[server]'",
    )
