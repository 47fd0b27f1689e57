"""Hamming ranking and retrieval measures on packed binary codes, on CPU and GPU."""
