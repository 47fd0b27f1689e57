"""Ranking tables, and who computes them: numba, numpy, torch or Triton."""
