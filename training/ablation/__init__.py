"""Ablations: variants of a recipe, trained alike and compared on the same dialogues."""
