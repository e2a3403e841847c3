"""Selection by similarity of tasks: how well a whole source domain, or what was learned from it, serves the target."""
