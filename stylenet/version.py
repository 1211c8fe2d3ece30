"""The package's version, which style files carry."""

__version__ = "0.1.0"
