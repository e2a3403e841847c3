"""Selection by similarity of features: how near a source example lies to the target."""
