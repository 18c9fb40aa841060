"""Media in, utterances out; numpy, PyAV and onnxruntime only, no torch."""
