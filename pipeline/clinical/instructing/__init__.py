"""Instruction data: what reports offer for it, and what is wrong with generated texts."""
