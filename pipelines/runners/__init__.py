"""What runs a pipeline: this process, or Kubeflow."""
