"""Export, model servers and clients."""
