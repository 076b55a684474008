"""Flat-kernel MeanShift: exact, by blocks of rows, and from a sample of seeds."""
