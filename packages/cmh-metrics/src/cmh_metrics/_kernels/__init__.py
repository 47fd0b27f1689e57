"""Compiled functions, each with its formula at the top."""
