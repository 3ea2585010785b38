"""TFX pipelines around the library: factory, components, runners and the command line."""
