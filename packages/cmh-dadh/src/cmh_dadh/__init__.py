"""DADH: deep adversarial discrete hashing for cross-modal retrieval (Bai et al., ICMR 2020)."""
