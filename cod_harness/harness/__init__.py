"""The harness side: the only room that imports lm_eval, and only inside functions."""
