"""How good a network is: losses on photos it has not seen, artifacts, calmness, likeness, and Gatys' yardstick."""
