"""What learns a style: losses, photos, a run from its settings to its style file."""
