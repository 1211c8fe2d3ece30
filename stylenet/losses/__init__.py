"""Losses: what a network is trained against."""
