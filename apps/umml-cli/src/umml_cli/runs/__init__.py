"""One run: its specification, its folder, and how it is performed."""
