"""Floor 0: runs a function over batches, keeps files whole, shows progress."""
