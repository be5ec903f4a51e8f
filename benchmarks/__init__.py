"""The speed budget of ``docs/performance.md``, measured as ratios to floors: ``make bench``."""
