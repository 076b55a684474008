"""All runs of a ladder, finished ones skipped, on some engine that executes them."""
