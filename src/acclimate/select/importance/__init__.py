"""Selection by importance of each sample: how much likelier it is in the target than in the pool."""
