"""Metrics that two tasks share, or that Keras lacks."""
