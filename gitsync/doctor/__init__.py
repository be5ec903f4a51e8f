"""What `gitsync doctor` looks at: git, configuration, and how the two sides remember each other."""
