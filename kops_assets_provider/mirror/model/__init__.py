"""Values that all rooms share, and how their documents are read."""
