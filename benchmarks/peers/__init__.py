"""The systems that are compared; each runs in its own process."""
