"""What the benchmarks of the model server share: models, requests, a cheap load generator, figures."""
