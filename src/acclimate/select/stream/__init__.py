"""Selection over pools larger than memory: survey, score, find the threshold, keep, write; each over shards, on any engine."""
