"""Base weights in, verified bundles out."""

import stream as stream  # turns the telemetry of libraries off before one is imported
