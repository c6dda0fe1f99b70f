"""The tracking server's container: it prepares the database, then runs MLflow's own server."""
