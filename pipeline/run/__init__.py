"""Recipes, plans and the runner that carries a run to its end."""
