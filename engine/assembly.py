"""Put a run together: from what was asked for to the parts that `engine.live.run` needs.

The models are imported where they are loaded, so that whatever is wrong with the input is
said before that.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.captions import captions_beside, read_captions
from engine.cli import Options
from engine.events import EmotionEvent, ModelInfo, build_event
from engine.model.manifest import verify_bundle
from engine.sinks import JsonlSink, MqttSink, Sink, embedded_broker
from engine.sinks.without_text import WithoutText
from engine.worker import Observer, Recognized, Recognizer, Transcribe, Worker
from stream.cutter import UtteranceCutter
from stream.errors import UserError
from stream.ids import uuid7_factory
from stream.sources import DEFAULT_PARTICIPANT, Source, open_source
from stream.vad import SileroVad

logger = logging.getLogger(__name__)

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
        participant=options.participant or DEFAULT_PARTICIPANT,
    )


def caption_words(options: Options) -> Transcribe | None:
    """The words from a caption file; None where speech is to be recognised."""
    if options.transcript == "asr":
        return None
    beside = options.transcript == "beside"
    path = captions_beside(Path(options.uri)) if beside else Path(options.transcript)
    captions = read_captions(path)
    return lambda utterance: captions.text(utterance.start, utterance.end)


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


async def load_models(
    options: Options, source: Source, resolve: Resolve, *, base: str, words: Transcribe | None
) -> tuple[Worker, UtteranceCutter]:
    """Load what finds speech, words, emotions and behaviour, side by side.

    Args:
        options: What was asked for.
        source: Is open.
        resolve: Finds weights.
        base: Name of the language model under the bundle.
        words: The transcript, if it need not be recognised.
    """
    listen = options.text and words is None and source.has_audio
    look = options.behaviour and source.has_video
    recognizer, transcribe, observe, vad = await asyncio.gather(
        asyncio.to_thread(_load_recognizer, options, resolve, base),
        asyncio.to_thread(_load_transcriber, resolve, options.threads) if listen else _nothing(),
        asyncio.to_thread(_load_observer, resolve) if look else _nothing(),
        asyncio.to_thread(lambda: SileroVad(resolve("silero-vad")))
        if source.has_audio
        else _nothing(),
    )
    cutter = UtteranceCutter(vad, participant=source.participant)
    return Worker(recognizer, words or transcribe, observe=observe), cutter


def event_builder(
    node: str, source_name: str, model: ModelInfo
) -> Callable[[Recognized], EmotionEvent]:
    """A function that makes the events of a new session with one dialogue, words included."""
    new_id = uuid7_factory()
    session, dialogue = new_id(), new_id()

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
        )

    return build


async def _nothing() -> None:
    return None


def _load_recognizer(options: Options, resolve: Resolve, base: str) -> Recognizer:
    from engine.model.recognizer import Recognizer as BundleRecognizer

    weights, faces = resolve(base), resolve("blazeface")
    try:
        return BundleRecognizer.load(
            options.bundle,
            base_model=weights,
            face_detector=faces,
            threads=options.threads,
            abstain_below=options.abstain_below,
        )
    except ValueError as error:
        raise _unfit(options.bundle, error) from error


def _load_transcriber(resolve: Resolve, threads: int) -> Transcribe:
    from engine.transcriber import Transcriber

    transcriber = Transcriber(resolve("whisper-tiny.en"), threads)
    return lambda utterance: transcriber(utterance.audio)


def _load_observer(resolve: Resolve) -> Observer | None:
    """None where its weights cannot be had: there is an emotion without it, too."""
    from engine.behaviour import BehaviourReader
    from engine.behaviour import Observer as BehaviourObserver

    try:
        names = ("face-landmarks", "pose", "blazeface")
        return BehaviourObserver(BehaviourReader(*(resolve(name) for name in names)))
    except UserError as error:
        logger.warning("behaviour is not described: %s", error)
        return None


def _unfit(folder: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return UserError(
        f"the bundle {folder} does not fit this version ({reason}): update bemerc-live, or give "
        "another --bundle"
    )
