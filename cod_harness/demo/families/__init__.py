"""What the questions are about: a file per family."""
