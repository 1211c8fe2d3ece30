"""Networks applied by other runtimes than PyTorch, behind the interface of a network."""
