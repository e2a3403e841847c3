"""How well, and is the difference real: metrics, intervals, paired tests, verdicts. The only floor that may open a sealed test."""
