"""What every style file has in common, without torch."""

SUFFIX = ".safetensors"
MAXIMUM_SIZE = 1_000_000_000  # bytes; a usual file has 7 million
