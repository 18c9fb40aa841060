"""Nothing leaves this machine unasked: the telemetry of libraries is off before they are imported.

The packages of this project call `turn_telemetry_off` in their `__init__`, which runs before any
module of theirs and so before any library that a module imports: every entry point has it, and so
has every process that one starts.
"""

from __future__ import annotations

import os

TELEMETRY_OFF = {
    # onnxruntime from 1.29 on looks up a host of its maker, and keeps a device id in ~/.cache
    "ORT_DISABLE_TELEMETRY": "1",
    # huggingface_hub, transformers, peft, accelerate: what was downloaded, and by what
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    # where a library follows the convention of https://consoledonottrack.com
    "DO_NOT_TRACK": "1",
}
"""Environment variables, with the value that turns telemetry off."""


def turn_telemetry_off() -> None:
    """Set the variables, whatever they were: nobody has to know them to be left alone."""
    os.environ.update(TELEMETRY_OFF)
