"""From a trained model to answers: collections, codes, an index and what is asked of it."""
