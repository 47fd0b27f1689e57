"""The codes of an index as files that other engines load, one module for each engine."""
