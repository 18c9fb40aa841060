"""What a training will take, counted before it begins."""
