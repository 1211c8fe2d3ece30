"""Inference: applies a style to images of any size and to the frames of videos."""
