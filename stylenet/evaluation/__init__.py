"""Quality of a network: held-out losses, appearance beside the painting, artifacts, stability, similarity, Gatys."""
