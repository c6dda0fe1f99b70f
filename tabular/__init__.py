"""Work on tables that both jobs share: readers of log and labels, samples, metrics, segments."""
