"""Recipes of the bundled files in checkpoints/ and examples/."""
