"""The page: one HTML file, no network."""
