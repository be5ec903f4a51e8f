"""gitsync keeps workflows in a database in step with canonical JSON files in git."""

__version__ = "0.1.0"
