"""Measures the copying of images between two registries: ours, and that of other programs."""
