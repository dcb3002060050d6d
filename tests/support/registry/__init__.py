"""The parts of the fake registry: what it stores, whom it admits, what it answers."""
