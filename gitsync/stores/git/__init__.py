"""Git as gitsync uses it; the only package that starts it."""

from gitsync.stores.git.index import Index as Index
from gitsync.stores.git.process import REPOSITORY_VARIABLES as REPOSITORY_VARIABLES
from gitsync.stores.git.process import SETTING_VARIABLES as SETTING_VARIABLES
from gitsync.stores.git.process import Git as Git
from gitsync.stores.git.repository import ZERO as ZERO
from gitsync.stores.git.repository import GitRepository as GitRepository
from gitsync.stores.git.repository import PathChange as PathChange
from gitsync.stores.git.repository import TreeEntry as TreeEntry
from gitsync.stores.git.repository import broken_object as broken_object
from gitsync.stores.git.repository import submodule as submodule
