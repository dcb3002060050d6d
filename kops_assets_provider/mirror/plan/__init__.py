"""What must be copied, and what that will take."""
