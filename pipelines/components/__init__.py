"""Components that TFX lacks."""
