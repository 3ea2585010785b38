"""Models without gradients."""
