"""The tracking server's container: the database made ready, then MLflow's own server."""
