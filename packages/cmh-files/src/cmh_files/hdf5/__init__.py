"""HDF5 and MATLAB 7.3 files: opened with care, read by rows, rewritten."""
