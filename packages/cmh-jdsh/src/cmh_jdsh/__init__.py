"""JDSH: joint-modal distribution-based similarity hashing (Liu et al., SIGIR 2020)."""
