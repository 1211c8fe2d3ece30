"""Video: clips from file to file with their sound, raw frames through a pipe, a camera.

Only `codecs` and `timing` are imported on `infer.py`'s way to an image; the others, and PyAV with them, for a video.
"""
