"""Parts of `python -m training.evaluate`."""
