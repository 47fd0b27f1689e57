"""What came out: numbers over seeds, intervals, the published numbers, the claims of the paper."""
