"""Scripts that train and evaluate a bundle."""

import stream as stream  # turns the telemetry of libraries off before one is imported
