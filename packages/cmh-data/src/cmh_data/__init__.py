"""Reads, checks, describes, converts, splits and builds the data sets of cross-modal hashing; a small real one inside."""
