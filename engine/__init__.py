"""Utterances in, emotion events out."""
