"""How the shipped ladder is trained; needs torch (`pip install "cod-harness[train]"`)."""
