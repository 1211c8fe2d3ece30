"""What a network is trained against."""
