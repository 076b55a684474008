"""What lies on disk as JSON: schemas, writing, reading, the register."""
