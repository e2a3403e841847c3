"""Conversations with a language model, by one protocol: a local model, or an endpoint that speaks OpenAI's."""
