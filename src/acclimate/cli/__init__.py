"""Floor 10: the command line. It reads arguments, calls the public API and prints; it has no logic of its own."""
