"""The set of trained networks in `checkpoints/`: model cards, contact sheets, and the table of all."""
