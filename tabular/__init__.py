"""What both jobs need of tables: readers of the log and the labels, samples, metrics."""
