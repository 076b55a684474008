"""The charts of the page and of files."""
