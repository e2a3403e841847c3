"""Causal language models: what a model makes of a text, token by token."""

from __future__ import annotations


class CausalModel:
    """A causal language model by name, looked for and loaded when first used.

    Args:
        name: ``asset:NAME``, a local folder or a hub name.
    """

    def __init__(self, name: str = "asset:smollm2") -> None:
        self.name = name
