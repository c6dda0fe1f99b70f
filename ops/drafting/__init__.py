"""A contract drafted from a file: what each column looks like, and what that suggests."""
