"""Measurements of claims that this project makes about its speed."""
