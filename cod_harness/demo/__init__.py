"""The shipped ladder: what its models learn, how they are trained, and the `demo` command."""
