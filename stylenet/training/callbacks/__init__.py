"""Callbacks: what a run does between its steps."""
