"""Commands about who may sign in."""
