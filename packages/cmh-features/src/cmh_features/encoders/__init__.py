"""One module a family of encoders; each is imported when one of its encoders is loaded."""
