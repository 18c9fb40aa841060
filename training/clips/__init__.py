"""Clips of a corpus: read, prepared over processes, encoded and cached."""
