"""Numbered versions and the history of decisions: what the registry is made of."""
