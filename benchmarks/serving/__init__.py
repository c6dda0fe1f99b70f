"""What the predictor is measured in and against: Lambda's runtime interface, stores, baselines."""
