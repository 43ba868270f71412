"""Readers of report collections: list what is there, read one study at a time."""
