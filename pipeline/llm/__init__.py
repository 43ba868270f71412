"""The request engine and its backends."""
