"""One file per format that other tools read."""
