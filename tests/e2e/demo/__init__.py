"""Tests on the stage that the demo leaves."""
