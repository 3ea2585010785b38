"""Claims of the theory as experiments: one file each, found through `registry.LABS` and run by `ann lab NAME`."""
