"""The language of radiology reports, as pure functions."""
