"""What speaks for a forecast: the clusters' laws and the trend of ability, and both together."""
