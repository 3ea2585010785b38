"""Sources of examples: embedded data, TensorFlow Datasets, folders of images; and how they are split."""
