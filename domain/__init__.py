"""What things mean: standard library only, no I/O, no clock, no environment."""
