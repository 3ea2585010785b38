"""Regularizers in the theory's terms."""
