"""Image and video formats."""
