"""What gitsync does, one function a command: it takes values and returns a report."""
