"""Commands that set a ladder up: `init` and `check`."""
