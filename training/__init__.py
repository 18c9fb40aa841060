"""Scripts that train and evaluate a bundle."""
