"""One file per outside world. Clients are passed in; nothing here reads the environment."""
