"""Batches on a cluster: `stylenet cluster`, on Ray Data."""
