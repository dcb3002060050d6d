"""What became of every asset of a run."""
