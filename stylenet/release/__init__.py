"""What a release is made of: a page, a sheet and a card for each network."""
