"""What people and programs read: the forecast document and its table."""
