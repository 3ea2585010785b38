"""Artificial neural networks in Keras 3: tasks, models, datasets, and the training that joins them."""

__version__ = "0.1.0"
