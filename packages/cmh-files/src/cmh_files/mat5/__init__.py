"""MATLAB 5 files: read and rewritten without SciPy."""
