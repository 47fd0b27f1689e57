"""The layouts of data files, one file a layout; `recognise` lists them."""
