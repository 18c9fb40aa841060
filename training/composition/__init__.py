"""Turns put together from words, voices and faces of several corpora."""
