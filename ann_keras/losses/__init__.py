"""Losses that two models share, or that Keras lacks."""
