"""`python -m serving.server`: a model server that speaks TF Serving's REST and gRPC, where the real one is not."""
