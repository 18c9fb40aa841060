"""Measurements of claims that this project makes about its speed."""

import stream as stream  # turns the telemetry of libraries off before one is imported
