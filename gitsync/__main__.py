"""``python -m gitsync``."""

from gitsync.cli.main import main

main()
