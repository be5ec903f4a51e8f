"""Git as gitsync uses it; the only package that imports GitPython or, hooks apart, starts git."""

from gitsync.git.repository import REPOSITORY_VARIABLES as REPOSITORY_VARIABLES
from gitsync.git.repository import ZERO as ZERO
from gitsync.git.repository import GitRepository as GitRepository
from gitsync.git.repository import PathChange as PathChange
from gitsync.git.repository import TreeEntry as TreeEntry
from gitsync.git.repository import broken_object as broken_object
