"""The drift job: compare a window of the log with the model's reference, report, notify."""
