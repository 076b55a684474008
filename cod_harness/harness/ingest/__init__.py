"""Pass rates out of what earlier runs left: samples files of the harness, logs of Inspect."""
