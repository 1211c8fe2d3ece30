"""What applies a style: to pictures of any size, to folders, to video."""
