"""One module per task: `Config`, `DEFAULT_DATASET`, `missing_roles` and `bind`."""
