"""Git as gitsync uses it; the only package that starts it."""

from gitsync.git.index import Index as Index
from gitsync.git.process import REPOSITORY_VARIABLES as REPOSITORY_VARIABLES
from gitsync.git.process import SETTING_VARIABLES as SETTING_VARIABLES
from gitsync.git.process import Git as Git
from gitsync.git.repository import ZERO as ZERO
from gitsync.git.repository import GitRepository as GitRepository
from gitsync.git.repository import PathChange as PathChange
from gitsync.git.repository import TreeEntry as TreeEntry
from gitsync.git.repository import broken_object as broken_object
from gitsync.git.repository import submodule as submodule
