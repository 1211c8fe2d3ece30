"""How good a network is: losses on photos it has not seen, artefacts, calmness, likeness, and Gatys' yardstick."""
