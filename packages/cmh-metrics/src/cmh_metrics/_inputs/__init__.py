"""What comes in, checked once: codes, labels, and the arguments that all measures share."""
