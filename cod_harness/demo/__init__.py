"""The shipped ladder: what its models are trained on, how they are trained, and the `demo` command."""
