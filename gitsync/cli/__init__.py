"""The command line: the only place that looks at the environment, the clock and the terminal."""
