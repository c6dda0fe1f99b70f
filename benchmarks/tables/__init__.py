"""Tables of other shapes than the example's: wide, long, with many categories, made by others."""
