"""Utterances in, emotion events out."""

import stream as stream  # turns the telemetry of libraries off before one is imported
