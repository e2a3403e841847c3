"""Search of settings: a space, a sampler, pruning, repeated validation, and how far the answer can be trusted."""
