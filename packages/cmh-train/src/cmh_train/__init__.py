"""The contract of a cross-modal hashing method, its training loop and its checkpoints."""
