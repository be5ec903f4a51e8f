"""The reconciler: it compares two sides, plans, checks and applies; it knows no concrete side."""
