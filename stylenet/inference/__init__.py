"""What applies a style: to images of any size, to folders, to video."""
