"""Commands whose work is more than a few lines: their arguments, and what they do with them."""
