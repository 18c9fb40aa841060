"""Media sources behind `open_source`."""
