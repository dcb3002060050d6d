"""Registries, file stores and state stores: where they are, and with what credentials."""
