"""Expansion: new examples made offline, each with its origin."""
