"""What is known about a cluster's mirror from earlier runs."""
