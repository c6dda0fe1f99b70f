"""The drift job: a window of the log against the model's own reference, verdict, reports, mail."""
