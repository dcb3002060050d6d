"""Takes a kOps release in from its source tree; see ``scripts/import-release --help``."""
