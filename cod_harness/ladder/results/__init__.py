"""The harness's results without samples: an accuracy a benchmark and model, no questions."""
