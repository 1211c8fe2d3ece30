"""HTTP service: `stylenet serve`. The front process answers; worker processes stylize."""
