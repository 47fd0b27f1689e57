"""One module for each command of `umml`, importing what is heavy when it runs."""
