"""Whether a copy of a corpus is whole: its counts, and every clip of it."""
