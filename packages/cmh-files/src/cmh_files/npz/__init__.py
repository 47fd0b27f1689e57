"""NumPy's `.npz` and `.npy` files: read and rewritten without pickle."""
