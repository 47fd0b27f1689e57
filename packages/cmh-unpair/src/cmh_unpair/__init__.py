"""Says exactly which training samples of a paired data set lose their partner, and rewrites the data accordingly."""
