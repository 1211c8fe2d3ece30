"""Video: clips from file to file with their sound, raw frames through a pipe, a camera.

Only `command` is imported on `infer.py`'s way to an image. It imports the others, and PyAV with them, for a video.
"""
