"""The package's version, which style files carry."""

__version__ = "1.0.0"
