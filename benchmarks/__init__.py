"""Measurements of what the system promises; each module runs by itself and under `make bench`."""
