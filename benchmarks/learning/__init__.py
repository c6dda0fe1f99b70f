"""Benchmarks of what the loop learns from its own production."""
