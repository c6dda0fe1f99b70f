"""What the predictor's benchmark needs: Lambda's runtime interface, stores and competitors."""
