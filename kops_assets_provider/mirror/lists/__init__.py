"""What a cluster downloads: computed, from kops, or saved."""
