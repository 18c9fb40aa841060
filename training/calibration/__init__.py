"""Temperatures, biases and thresholds, fitted on dev data in folds."""
