"""TensorFlow Datasets builders; importing one of these modules registers its dataset."""
