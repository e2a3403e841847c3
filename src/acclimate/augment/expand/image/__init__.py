"""Expansion of pictures: operations drawn for every picture by itself, styles of other pictures, and learned generators."""
