"""Advice: which ways to adapt are worth trying, read off the data in seconds, with reasons that a person can check."""
