"""A data set in memory and on disk: its rows, split, digest, checks and warnings."""
