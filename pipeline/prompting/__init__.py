"""Prompt templates: loading, rendering, hashing."""
