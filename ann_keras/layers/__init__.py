"""Layers that several models share or that Keras lacks."""
