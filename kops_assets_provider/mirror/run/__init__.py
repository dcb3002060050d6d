"""Check or copy one list in one process, as the command does."""
