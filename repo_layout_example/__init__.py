"""Makes this folder findable as ``gitsync.repo_layout_example``; ``gitsync init --example`` leaves it out."""
