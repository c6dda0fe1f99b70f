"""The training container: prepare, tune, evaluate, promote."""
