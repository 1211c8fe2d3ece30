"""What a run does between its steps."""
