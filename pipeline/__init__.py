"""Build data sets from radiology reports with language models."""

__version__ = "0.1.0"
