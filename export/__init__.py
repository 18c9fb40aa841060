"""Base weights in, verified bundles out."""
