"""What every style file has in common, without torch."""

SUFFIX = ".safetensors"
MAXIMUM_SIZE = 1_000_000_000  # bytes; a usual file has 7 million
MOST_BLACK = 38  # of 255, of the luminance that is moved to 0: a pale painting stays pale
