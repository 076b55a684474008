"""How the repeats of a question are asked for: once where a backend allows it, and kept."""
