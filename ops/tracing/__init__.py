"""Where a prediction came from, and whether it can be computed again."""
