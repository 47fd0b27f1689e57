"""AGAH: adversary guided asymmetric hashing for cross-modal retrieval (Gu et al., ICMR 2019)."""
