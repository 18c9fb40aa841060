"""A bundle, loaded: one utterance and the dialogue before it in, one `Recognition` out."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.dialogue import Turn
from engine.faces import Box, FaceDetector, Framing, TrackedFace, cut_face, main_faces
from engine.giving_up import Check, go_on
from engine.model.calibration import Calibration
from engine.model.densenet import DenseNet
from engine.model.encoders import Encoders, SpeechEncoder
from engine.model.inputs import (
    clean_samples,
    is_silent,
    picture_tensor,
)
from engine.model.manifest import verify_bundle
from engine.model.model import EmotionModel, TurnInputs, load_base, merge_lora
from engine.model.outputs import Recognition
from engine.model.perceived import Look, Perceived, of_participant, quality_of
from engine.model.prompt import clean_text
from engine.model.prosody import ProsodyEncoder, add_prosody
from engine.model.reader import DialogueReader
from engine.model.speaker import Heard, voice_scale
from engine.model.spec import ModelSpec
from engine.prosody import measure
from stream.errors import UserError
from stream.media import SAMPLE_RATE, Samples, Utterance, VideoFrame

MAX_DIALOGUES = 8
"""Whose reading is kept, some 50 MB each where the context is full, half as much again just before
the older half of it goes; of more, the latest."""
NEXT_TURN_TOKENS = 96
"""Of a turn that is prepared for before it comes: more than most take."""


@dataclass
class _Reading:
    """What was read of a dialogue."""

    now: DialogueReader
    ahead: DialogueReader | None = None
    """Has read the newer half, for a next turn that the whole has no room for."""

    def of(self, history: Sequence[TurnInputs]) -> DialogueReader:
        """The one that knows more of a history."""
        if self.ahead is not None and self.ahead.knows(history) > self.now.knows(history):
            return self.ahead
        return self.now


class Recognizer:
    """Blocking and not thread-safe: one worker thread owns it."""

    def __init__(
        self,
        model: EmotionModel,
        encoders: Encoders,
        detector: FaceDetector | None,
        calibration: Calibration,
        *,
        bundle_name: str = "unnamed",
        bundle_sha256: str = "",
    ) -> None:
        """Join loaded parts; `load` is the usual way."""
        self.model = model.eval()
        self.encoders = encoders
        self.spec = model.spec
        self.calibration = calibration
        self.bundle_name = bundle_name
        self.bundle_sha256 = bundle_sha256
        self.labels = model.spec.labels
        self._detector = detector
        self._readings: OrderedDict[str, _Reading] = OrderedDict()
        self._spare: DialogueReader | None = None  # for the next dialogue: knows its beginning

    @classmethod
    def load(
        cls,
        bundle: Path,
        *,
        base_model: Path,
        face_detector: Path | None,
        face_landmarks: Path | None = None,
        threads: int = 2,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
        abstain_below: float | None = None,
        sealed: bool = True,
    ) -> Recognizer:
        """Verify and load a bundle.

        Args:
            bundle: folder with a manifest, as `export.bundle` writes it.
            base_model: folder of the base LLM that the bundle's spec names.
            face_detector: BlazeFace's tflite file; None where only prepared inputs are scored.
            face_landmarks: the prepared model that tells what is a face; None to believe the
                detector.
            threads: of torch.
            device: of the networks; the CPU by default.
            dtype: of the base LLM.
            abstain_below: confidence below which it abstains, whatever an utterance has; 0 for
                never, None for the thresholds of the bundle.
            sealed: off for what is yet to become a bundle: it has no manifest, and need not have
                a calibration.

        Raises:
            UserError: a file is missing or changed, or spec and weights disagree.
        """
        torch.set_num_threads(threads)
        manifest = verify_bundle(bundle) if sealed else None
        spec = read_spec(bundle)
        device = device or torch.device("cpu")
        llm, tokenizer = load_base(base_model, dtype)
        try:
            if spec.llm.lora_rank:
                merge_lora(llm, load_file(bundle / "lora.safetensors"), spec.llm)
            model = EmotionModel(spec, llm, tokenizer)
            _fill(model.fusion, bundle / "fusion.safetensors")
            encoders = _load_encoders(spec, bundle)
            calibration = Calibration()
            if sealed:
                calibration = Calibration.from_dict(_read_json(bundle / "calibration.json"))
            calibration.require_labels(len(spec.labels))
        except (ValueError, KeyError, RuntimeError, OSError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:300]
            raise UserError(
                f"{bundle}: spec and weights disagree ({reason}); get the bundle again or train it"
            ) from error
        if abstain_below is not None:
            calibration = calibration.abstaining_below(abstain_below)
        detector = None if face_detector is None else FaceDetector(face_detector, face_landmarks)
        return cls(
            model.to(device),
            encoders.to(device),
            detector,
            calibration,
            bundle_name=manifest.name if manifest else spec.name,
            bundle_sha256=manifest.sha256 if manifest else "",
        )

    def recognize(
        self,
        utterance: Utterance,
        history: Sequence[Turn],
        perceived: Perceived | None = None,
        dialogue: str = "",
        words: Callable[[], str | None] | None = None,
        check: Check = go_on,
    ) -> Recognition:
        """The emotion expressed in an utterance, given the turns before it.

        Args:
            utterance: Its frames are not looked at where `perceived` is given.
            history: The dialogue so far.
            perceived: What is computed of the utterance already.
            dialogue: Names the dialogue; each keeps what was read of it.
            words: Asked for the text when voice and pictures are encoded, so that it can be
                recognised meanwhile; None to take that of the utterance.
            check: Called time and again; what it raises ends the recognition.
        """
        latency: dict[str, float] = {}
        absent: dict[str, str] = {}
        quality: dict[str, float] = {}
        known = perceived.functionals if perceived else {}
        turn = TurnInputs(utterance.participant)
        turn = self._add_audio(turn, utterance, history, known, absent, quality, latency)
        check()
        if perceived is None:
            looks = self._look_at_all(utterance.frames, latency)
        else:
            looks = of_participant(perceived.looks)
        turn = self._add_video(turn, looks, absent, quality, latency)
        text = clean_text(utterance.text if words is None else words())
        if text:
            quality["text"] = 1.0
        else:
            absent["text"] = "no words"
        turn = replace(turn, text=text or None)
        used = [name for name in ("text", "audio", "video") if name not in absent]
        with _timed(latency, "llm"):
            apart = used if len(used) > 1 else ()
            kept = self._keep(history, turn)
            probabilities = self.predict(kept, turn, apart, dialogue, check)
        full = dict(zip(self.labels, probabilities[0].tolist(), strict=True))
        winner = int(probabilities[0].argmax())
        return Recognition(
            probabilities=full,
            contributions={
                name: float(probabilities[0, winner] - row[winner])
                for name, row in zip(used, probabilities[1:], strict=False)
            },
            quality=quality,
            absent=absent,
            abstained=self.calibration.abstains(float(probabilities[0, winner]), used),
            latency_ms=latency,
            inputs=turn,
            pictures=len(looks),
        )

    def warm_up(self) -> None:
        """Run everything once: the first time of a network takes many times as long."""
        noise = np.random.default_rng(0).normal(0, 0.1, 2 * SAMPLE_RATE).astype(np.float32)
        frame = VideoFrame(0.0, np.zeros((120, 160, 3), np.uint8))
        face = TrackedFace(1, Box(60, 40, 100, 80), 1.0, 0.0)
        for count in (1, 4):
            looks = self.look([frame] * count, [face] * count)
        said = Utterance("warm-up", "nobody", 0.0, 2.0, (), noise, "Is anybody there?")
        self.recognize(said, [], Perceived(looks), dialogue="warm-up")
        self.forget("warm-up")
        self._get_ready()

    def look(self, frames: Sequence[VideoFrame], faces: Sequence[TrackedFace | None]) -> list[Look]:
        """Encode pictures, of several participants if need be, in one pass.

        Args:
            frames: B pictures.
            faces: The face to look at in each; None where there is none. Not asked for where
                the spec looks at whole frames.
        """
        spec = self.spec.video
        if spec.source == "frame":
            found = [Look(frame.time) for frame in frames]
            images = [frame.image for frame in frames]
        else:
            found, images = [], []
            framing = Framing(spec.face_scale, spec.face_offset)
            for frame, face in zip(frames, faces, strict=True):
                if face is None:
                    found.append(Look(frame.time))
                    continue
                crop = cut_face(frame.image, face, spec.size, framing)
                found.append(
                    Look(frame.time, None, None, face.person, face.box, crop.quality, face.weight)
                )
                images.append(crop.image)
        if not images:
            return found
        features, logits = self.encoders.frames(picture_tensor(images, spec))
        rows = iter(range(len(images)))
        return [
            look
            if spec.source == "face" and look.box is None
            else replace(
                look,
                features=features[row := next(rows)],
                logits=None if logits is None else logits[row],
            )
            for look in found
        ]

    def hear(self, windows: Sequence[Samples]) -> NDArray[np.float32]:
        """OpenSMILE functionals (W, D) of windows of sound, while the speaker goes on."""
        functionals = self.encoders.measure([clean_samples(window) for window in windows])
        self.encoders.get_ready()
        return functionals

    @torch.inference_mode()
    def predict(
        self,
        history: Sequence[TurnInputs],
        turn: TurnInputs,
        apart: Sequence[str] = (),
        dialogue: str = "",
        check: Check = go_on,
    ) -> Tensor:
        """Calibrated probabilities (1 + n, E) of the next turn, then without each modality.

        Args:
            history: The turns before it, cut to the context.
            turn: The turn.
            apart: Names of n modalities.
            dialogue: Names the dialogue.
            check: See `recognize`.
        """
        others = {name: without(turn, name) for name in apart}
        reader = self._reading(dialogue).of(history)
        scores = reader.contrast(history, turn, others, check).cpu()
        modalities = [used_modalities(one) for one in (turn, *others.values())]
        return self.calibration.probabilities(scores, modalities)

    @torch.inference_mode()
    def settle(self, history: Sequence[Turn], dialogue: str = "") -> list[Turn]:
        """Get a dialogue ready for its next turn, between two utterances.

        Where the context is nearly full its newer half is read ahead, right here; the whole stays
        known, since only the next turn decides whether the older half goes.

        Returns:
            The turns to go on with: all that a later turn may be read with. The first has with it
            how the speakers of those before it sounded.
        """
        self._get_ready()
        past = _inputs_of(history)
        first = self.model.prompt.first_read([one.shape for one in past])
        self._read_ahead(past[first:], dialogue)
        kept = [replace(turn, inputs=own) for turn, own in zip(history, past, strict=True)][first:]
        if first:
            kept[0] = replace(kept[0], before=self._heard(history, first))
        return kept

    def _read_ahead(self, past: Sequence[TurnInputs], dialogue: str) -> None:
        """Read what a long next turn would be read with."""
        first = self.model.prompt.first_ahead([one.shape for one in past], NEXT_TURN_TOKENS)
        if not first and dialogue not in self._readings:
            return
        reading = self._reading(dialogue)
        now = reading.of(past)
        ahead = reading.ahead if now is reading.now else None
        if first:
            ahead = ahead or DialogueReader(self.model)
            ahead.prepare(past[first:])
        reading.now, reading.ahead = now, ahead if first else None

    def _heard(self, history: Sequence[Turn], count: int) -> dict[str, Heard]:
        """How the speakers of the first turns, and of those before them, sounded."""
        heard = dict(history[0].before)
        for turn in _inputs_of(history[:count]):
            known = heard.get(turn.speaker, Heard())
            prosody = known.prosody
            if self.encoders.prosody is not None and turn.prosody is not None:
                prosody = self.encoders.prosody.scale([turn.prosody], prosody)
            heard[turn.speaker] = Heard(voice_scale([turn], turn.speaker, known.voice), prosody)
        return heard

    def forget(self, dialogue: str) -> None:
        """Free what is kept of a dialogue that is over."""
        self._readings.pop(dialogue, None)

    def _reading(self, dialogue: str) -> _Reading:
        reading = self._readings.pop(dialogue, None)
        if reading is None:
            reading = _Reading(self._spare or DialogueReader(self.model))
            self._spare = None
        self._readings[dialogue] = reading
        if len(self._readings) > MAX_DIALOGUES:
            self._readings.popitem(last=False)
        return reading

    @torch.inference_mode()
    def _get_ready(self) -> None:
        """Do what the next utterance, or the next dialogue, would else wait for."""
        self.encoders.get_ready()
        if self._spare is None:
            self._spare = DialogueReader(self.model)
            self._spare.prepare([])

    def _keep(self, history: Sequence[Turn], turn: TurnInputs) -> list[TurnInputs]:
        past = _inputs_of(history)
        return past[self.model.prompt.first_read([one.shape for one in (*past, turn)]) :]

    def _add_audio(
        self,
        turn: TurnInputs,
        utterance: Utterance,
        history: Sequence[Turn],
        known: Mapping[int, NDArray[np.float32]],
        absent: dict[str, str],
        quality: dict[str, float],
        latency: dict[str, float],
    ) -> TurnInputs:
        samples = clean_samples(utterance.audio)
        if not len(samples):
            absent["audio"] = "no audio"
        elif is_silent(samples):
            absent["audio"] = "silence"
        else:
            with _timed(latency, "audio"):
                past = [one.inputs for one in history if one.inputs is not None]
                before = history[0].before if history else {}
                heard = before.get(utterance.participant, Heard())
                scale = voice_scale(past, utterance.participant, heard.voice)
                encoded = self.encoders.audio(samples, scale, known)
            quality["audio"] = 1.0 - float(np.mean(np.abs(samples) >= 0.999))
            turn = replace(
                turn, audio=encoded.tokens, audio_scores=encoded.scores, voice=encoded.voice
            )
            if self.encoders.prosody is not None:
                with _timed(latency, "prosody"):
                    measured = torch.from_numpy(measure(samples))
                    turn = add_prosody(turn, measured, self.encoders.prosody, past, heard.prosody)
        return turn

    def _add_video(
        self,
        turn: TurnInputs,
        looks: Sequence[Look],
        absent: dict[str, str],
        quality: dict[str, float],
        latency: dict[str, float],
    ) -> TurnInputs:
        seen = [look for look in looks if look.features is not None]
        if not seen:
            absent["video"] = "no face" if looks else "no video"
            return turn
        with _timed(latency, "video"):
            features = torch.stack([look.features for look in seen if look.features is not None])
            logits = [look.logits for look in seen if look.logits is not None]
            encoded = self.encoders.pool(features, torch.stack(logits) if logits else None)
        quality["video"] = quality_of(looks)
        return replace(turn, video=encoded.tokens, video_scores=encoded.scores)

    def _look_at_all(self, frames: Sequence[VideoFrame], latency: dict[str, float]) -> list[Look]:
        """All pictures of an utterance at once."""
        if not frames:
            return []
        faces: Sequence[TrackedFace | None] = [None] * len(frames)
        if self.spec.video.source == "face":
            # Without a detector only prepared inputs are scored, and there no face is seen.
            if self._detector is not None:
                with _timed(latency, "faces"):
                    faces = main_faces(frames, self._detector)
        with _timed(latency, "video"):
            return self.look(frames, faces)


def _inputs_of(history: Sequence[Turn]) -> list[TurnInputs]:
    """The turns as they were encoded, or their words alone."""
    return [one.inputs or TurnInputs(one.speaker, one.text) for one in history]


def used_modalities(turn: TurnInputs) -> tuple[str, ...]:
    """Names of the modalities that a turn has.

    Prosody without sound, which some corpora publish, is none: it is weak beside the words,
    whose calibration then holds, and not that of a voice.
    """
    present = {"text": turn.text, "audio": turn.audio, "video": turn.video}
    return tuple(name for name, value in present.items() if value is not None)


def without(turn: TurnInputs, *modalities: str) -> TurnInputs:
    """The turn with some modalities absent."""
    for name in modalities:
        if name == "text":
            turn = replace(turn, text=None)
        elif name == "audio":
            turn = replace(
                turn,
                audio=None,
                audio_scores=None,
                voice=None,
                prosody=None,
                prosody_scores=None,
            )
        else:
            turn = replace(turn, video=None, video_scores=None)
    return turn


def read_spec(bundle: Path) -> ModelSpec:
    """The spec of a bundle.

    Raises:
        UserError: it is missing or has keys or values that no spec has.
    """
    try:
        return ModelSpec.from_dict(_read_json(bundle / "spec.json"))
    except ValueError as error:
        raise UserError(f"{bundle / 'spec.json'}: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise UserError(f"{path}: {reason}; get the bundle again or train it") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON; get the bundle again or train it") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} must hold a JSON object; get the bundle again or train it")
    return values


def _load_encoders(spec: ModelSpec, bundle: Path) -> Encoders:
    densenet = DenseNet(spec.video.densenet)
    _fill(densenet, bundle / "face.safetensors")
    speech = SpeechEncoder.of(spec.audio, len(spec.labels))
    _fill(speech, bundle / "speech.safetensors")
    kept = speech.columns
    if kept is not None and not (0 <= int(kept.min()) and int(kept.max()) < spec.audio.features):
        raise ValueError(f"speech.safetensors keeps functionals beyond the {spec.audio.features}")
    encoders = Encoders(spec, densenet, speech)
    if spec.prosody:
        encoders.prosody = ProsodyEncoder(len(spec.labels)).eval()
        _fill(encoders.prosody, bundle / "prosody.safetensors")
    return encoders


def _fill(module: nn.Module, path: Path) -> None:
    module.load_state_dict(load_file(path), strict=True)


@contextmanager
def _timed(latency: dict[str, float], stage: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    latency[stage] = latency.get(stage, 0.0) + 1000 * (time.perf_counter() - began)
