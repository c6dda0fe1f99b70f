"""The drift job: a window of the log against the model's own reference, a verdict, reports, a mail."""
