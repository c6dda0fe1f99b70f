"""Faults injected between the parts and the emulator; whatever happens, the story ends whole."""
