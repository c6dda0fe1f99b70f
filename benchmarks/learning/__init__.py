"""Benchmarks of what the loop learns from its own production, one module for each figure."""
