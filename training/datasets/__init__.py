"""Readers of public corpora, each in its own layout."""
