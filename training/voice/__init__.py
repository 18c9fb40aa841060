"""Speech clips for the speech encoder."""
