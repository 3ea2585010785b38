"""Models that turn a sequence of tokens into another."""
