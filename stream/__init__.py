"""Media in, utterances out; numpy, PyAV and onnxruntime only, no torch."""

from stream.interpreter import require_docstrings
from stream.privacy import turn_telemetry_off

require_docstrings()
turn_telemetry_off()
