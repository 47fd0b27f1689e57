"""The UMML framework: unpair, train, evaluate and reproduce cross-modal hashing experiments."""
