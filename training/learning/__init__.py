"""The training loop of all stages, and what it works on."""
