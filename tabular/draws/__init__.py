"""Draws of predictions to be labelled, and what their labels say of the model."""
