"""A run of the harness, watched: flags, hooks, guards before it, the record after it."""
