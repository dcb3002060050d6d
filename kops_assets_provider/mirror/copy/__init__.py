"""Copy one image or one file."""
