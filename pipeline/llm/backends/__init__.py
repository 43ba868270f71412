"""Backends: one attempt at one request, nothing else."""
