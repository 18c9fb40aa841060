"""Put a run together: from what was asked for to the parts that `engine.live.run` needs.

The models are imported where they are loaded, so that whatever is wrong with the input is
said before that.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.captions import captions_beside, read_captions
from engine.cli import Options
from engine.events import EmotionEvent, ModelInfo, build_event
from engine.model.manifest import verify_bundle
from engine.sinks import JsonlSink, MqttSink, Sink, embedded_broker
from engine.sinks.without_text import WithoutText
from engine.transcripts import Transcribe
from engine.worker import Recognized, Worker
from stream.cutter import VIDEO_LAG, UtteranceCutter, WorkPlan
from stream.errors import UserError
from stream.ids import uuid7_factory
from stream.segmenter import SegmenterConfig
from stream.sources import DEFAULT_PARTICIPANT, Source, file_path, open_source
from stream.vad import SileroVad

if TYPE_CHECKING:
    from engine.behaviour import BehaviourReader
    from engine.model.recognizer import Recognizer
    from engine.perception import Perception

logger = logging.getLogger(__name__)

LIVE_VIDEO_LAG = 0.3
"""Seconds that a live utterance waits for its last pictures."""

PERSON = "person"
"""What everybody is called, with a number, where several people share an input."""

Resolve = Callable[[str], Path]
"""Finds the weights of a base model by its name; blocks, and may download them."""


def choose_source(options: Options) -> Source:
    """The input that was asked for, not yet open."""
    return open_source(
        options.uri,
        pace=options.pace,
        audio=options.audio,
        video=options.video,
        microphone=options.microphone,
        participant=options.participant or (PERSON if options.people else DEFAULT_PARTICIPANT),
        audio_track=options.audio_track,
        video_track=options.video_track,
    )


def caption_words(options: Options) -> Transcribe | None:
    """The words from a caption file; None where speech is to be recognised."""
    if options.transcript == "asr":
        return None
    path = Path(options.transcript)
    if options.transcript == "beside":
        media = file_path(options.uri)
        if media is None:
            raise UserError("--transcript beside needs a --file with a name; name the captions")
        path = captions_beside(media)
    captions = read_captions(path)
    return lambda utterance, _: captions.text(utterance.start, utterance.end)


def check_bundle(folder: Path) -> tuple[ModelInfo, dict[str, Any]]:
    """Verify a bundle, and read its spec without loading it.

    Raises:
        UserError: If it is not as its manifest says, or not of this version.
    """
    manifest = verify_bundle(folder)
    try:
        spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
        _ = spec["llm"]["base"], spec["labels"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unfit(folder, error) from error
    return ModelInfo(manifest.name, manifest.sha256), spec


async def open_sinks(
    stack: contextlib.AsyncExitStack,
    options: Options,
    *,
    source_name: str,
    model: ModelInfo,
    labels: Sequence[str],
    version: str,
    say: Callable[[str], object],
) -> list[Sink]:
    """Open the sinks that others read; they get the words only if that was allowed."""
    sinks: list[Sink] = []
    if options.jsonl is not None:
        sinks.append(JsonlSink(options.jsonl))
    if options.mqtt != "off":
        url = options.mqtt
        if url is None:
            url = await stack.enter_async_context(embedded_broker())
        mqtt = MqttSink(
            url, node=options.node, source=source_name, model=model, version=version, labels=labels
        )
        say(f"MQTT broker: {mqtt.address}" + ("" if options.mqtt else " (for this machine only)"))
        sinks.append(mqtt)
    if not options.include_text:
        sinks = [WithoutText(sink) for sink in sinks]
    return [await stack.enter_async_context(sink) for sink in sinks]


@dataclass(frozen=True)
class Wanted:
    """What a worker is needed for."""

    listen: bool
    """Speech is to be recognised."""
    look: bool
    """Behaviour is to be described."""
    words: Transcribe | None = None
    """Gives the words, if they need not be recognised."""
    people: bool = False
    """Several people are to be told apart."""


def wanted(options: Options, source: Source, words: Transcribe | None) -> Wanted:
    """What is needed for an open source.

    Raises:
        UserError: People are to be told apart who are not heard.
    """
    if options.people and not source.has_audio:
        raise UserError(f"{source.name} has no sound to tell who speaks: leave out --people")
    return Wanted(
        listen=options.text and words is None and source.has_audio,
        look=options.behaviour and source.has_video,
        words=words,
        people=options.people,
    )


@dataclass(frozen=True)
class Models:
    """What a worker works with."""

    recognizer: Recognizer
    transcribe: Transcribe | None
    perception: Perception


def load_models(options: Options, resolve: Resolve, base: str, wanted: Wanted) -> Models:
    """Load what finds faces, words, emotions and behaviour, side by side; blocks.

    Args:
        options: What was asked for.
        resolve: Finds weights.
        base: Name of the language model under the bundle.
        wanted: What to load.
    """
    from engine.faces import FaceDetector, FaceFollower
    from engine.perception import Perception

    with ThreadPoolExecutor(3) as pool:
        recognizer = pool.submit(_load_recognizer, options, resolve, base)
        transcribe = pool.submit(_load_transcriber, resolve, options, wanted)
        reader = pool.submit(_load_behaviour, resolve, wanted)
        detector = FaceDetector(resolve("blazeface"), _landmarks(resolve))
        encoder, measurer = recognizer.result(), reader.result()
    encoder.warm_up()
    observer = None
    if measurer is not None:
        from engine.behaviour import Observer

        observer = Observer(measurer)
    faces = encoder.spec.video.source == "face" or measurer is not None or wanted.people
    follow = (lambda: FaceFollower(detector)) if faces else None
    perception = Perception(encoder, follow, measurer, observer, people=wanted.people)
    return Models(encoder, transcribe.result(), perception)


def load_worker(options: Options, resolve: Resolve, base: str, wanted: Wanted) -> Worker:
    """A worker with its models; see `load_models`."""
    models = load_models(options, resolve, base, wanted)
    if wanted.people:
        from engine.table import TableWorker
        from engine.voices import VoiceEmbedding

        return TableWorker(
            models.recognizer,
            models.transcribe,
            perception=models.perception,
            embed=VoiceEmbedding(resolve("speaker-embedding")),
            new_vad=lambda: SileroVad(resolve("silero-vad")),
        )
    return Worker(models.recognizer, models.transcribe, perception=models.perception)


def new_cutter(
    source: Source, resolve: Resolve, spec: Mapping[str, Any], *, listen: bool = False
) -> UtteranceCutter:
    """What cuts the media of one open source into utterances.

    Args:
        source: Whose.
        resolve: Finds the weights of the voice detector.
        spec: Of the bundle.
        listen: Whether words are recognised, which tells a short word from a click.
    """
    vad = SileroVad(resolve("silero-vad")) if source.has_audio else None
    audio = spec["audio"]
    return UtteranceCutter(
        vad,
        participant=source.participant,
        config=SegmenterConfig(keep_short=listen),
        ahead=WorkPlan(audio["window_seconds"], audio["hop_seconds"]),
        # The packets of a file may be stored far apart; live there is no time to wait.
        video_lag_seconds=LIVE_VIDEO_LAG if source.live else VIDEO_LAG,
    )


def read_token(path: Path | None) -> str | None:
    """The bearer token in a file; None without one.

    Raises:
        UserError: The file cannot be read, or has no token of one line in it.
    """
    if path is None:
        return None
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UserError(f"cannot read the token in {path} ({reason}); see --token-file") from None
    if not token or not token.isascii() or len(token.split()) != 1:
        raise UserError(
            f"{path} must hold one token on one line: python -c "
            f"'import secrets; print(secrets.token_urlsafe())' > {path}"
        )
    return token


def event_builder(
    node: str, source_name: str, model: ModelInfo, dialogue: str | None = None
) -> Callable[[Recognized], EmotionEvent]:
    """A function that makes the events of a new session, words included.

    Args:
        node: Name of this machine.
        source_name: Name of the source.
        model: Which model speaks.
        dialogue: Id of the dialogue; None for a new one.
    """
    new_id = uuid7_factory()
    session = new_id()
    dialogue = dialogue or new_id()

    def build(recognized: Recognized) -> EmotionEvent:
        return build_event(
            recognized.utterance,
            recognized.recognition,
            session=session,
            dialogue=dialogue,
            turn=recognized.turn,
            node=node,
            source=source_name,
            model=model,
            include_text=True,
            latency_ms=recognized.latency_ms,
            partial_id=None if recognized.final else new_id(),
        )

    return build


def _load_recognizer(options: Options, resolve: Resolve, base: str) -> Recognizer:
    from engine.model.recognizer import Recognizer

    weights, faces = resolve(base), resolve("blazeface")
    try:
        return Recognizer.load(
            options.bundle,
            base_model=weights,
            face_detector=faces,
            threads=max(1, options.threads - _threads_of_words(options)),
            abstain_below=options.abstain_below,
        )
    except ValueError as error:
        raise _unfit(options.bundle, error) from error


def _load_transcriber(resolve: Resolve, options: Options, wanted: Wanted) -> Transcribe | None:
    if not wanted.listen:
        return wanted.words
    from engine.transcriber import Transcriber, WordsOfSpeech

    transcriber = Transcriber(resolve("whisper-tiny.en"), _threads_of_words(options))
    return WordsOfSpeech(transcriber.hear)


def _threads_of_words(options: Options) -> int:
    """Words are recognised at the same time as voice and pictures, each on half of the threads.

    Two threads of one network on two cores are also hardly faster than one, and far slower as
    soon as anything else runs: each layer waits for both.
    """
    return max(1, options.threads // 2)


def _landmarks(resolve: Resolve) -> Path | None:
    """What tells a face from a flask; None where it cannot be had: most faces are faces."""
    try:
        return resolve("face-landmarks")
    except UserError as error:
        logger.warning("what the detector finds is not checked to be a face: %s", error)
        return None


def _load_behaviour(resolve: Resolve, wanted: Wanted) -> BehaviourReader | None:
    """None where its weights cannot be had: there is an emotion without it, too."""
    if not wanted.look:
        return None
    from engine.behaviour import BehaviourReader

    try:
        return BehaviourReader(*map(resolve, ("face-landmarks", "pose", "blazeface")))
    except UserError as error:
        logger.warning("behaviour is not described: %s", error)
        return None


def _unfit(folder: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(
        f"the bundle {folder} does not fit this version ({reason}): update bemerc-live, or give "
        "another --bundle"
    )
