"""Which sound track is not silent, where a file has several.

Recorders and screen captures write a track for every input, plugged in or not.
"""

from __future__ import annotations

import logging
from contextlib import closing

import av
import numpy as np
from av.container import InputContainer

from stream.sources.container import Location, open_location
from stream.sources.damage import DamagedError, decoding
from stream.sources.pyav import packets_of
from stream.sources.tracks import audio_track, decodable, describe

_log = logging.getLogger(__name__)

LISTENED_SECONDS = 60.0
"""How much of the beginning of a file is listened to."""
SILENT_LEVEL = 1e-3
"""A track is silent that never exceeds this share of full scale: the noise of an open input."""

_MOST_TRACKS = 16


def sounding(location: Location) -> int | None:
    """Number of the sound track to read instead of the main one, if that one is silent.

    Args:
        location: A file.

    Returns:
        The number, from 1; None where the main one will do, or where no other one sounds.
    """
    with closing(open_location(location)) as container:
        main = audio_track(container, location.shown)
        tracks = decodable(container.streams.audio)[:_MOST_TRACKS]
        if main is None or len(tracks) < 2:
            return None
        levels = _levels(container, main.index)
        if levels.get(main.index, 1.0) > SILENT_LEVEL:
            return None
        numbers = {track.index: n for n, track in enumerate(container.streams.audio, 1)}
        silent = f"audio track {numbers[main.index]} of {location.shown} is silent"
        louder = [track for track in tracks if levels.get(track.index, 0.0) > SILENT_LEVEL]
        if not louder:
            _log.warning("%s at its beginning; choose another with --audio-track", silent)
            return None
        number = numbers[louder[0].index]
        used = describe(number, louder[0])
        _log.warning("%s: track %s is used; choose with --audio-track", silent, used)
        return number


def _levels(container: InputContainer, main: int) -> dict[int, float]:
    """The loudest sample of each track so far, by its index, until the main one sounds."""
    tracks = decodable(container.streams.audio)[:_MOST_TRACKS]
    levels: dict[int, float] = {}
    converters = {track.index: av.AudioResampler("flt") for track in tracks}
    started = (container.start_time or 0) / av.time_base
    packets = packets_of(container, tracks)
    while levels.get(main, 0.0) <= SILENT_LEVEL:
        try:
            with decoding():
                packet = next(packets, None)
                if packet is None or _seconds(packet) > started + LISTENED_SECONDS:
                    break
                index = packet.stream.index
                frames = [one for one in packet.decode() if isinstance(one, av.AudioFrame)]
                blocks = [one.to_ndarray() for f in frames for one in converters[index].resample(f)]
        except DamagedError:
            continue  # a generator that failed is at its end
        for block in blocks:
            level = float(np.abs(np.nan_to_num(block)).max(initial=0.0))
            levels[index] = max(levels.get(index, 0.0), level)
    return levels


def _seconds(packet: av.Packet[av.stream.Stream]) -> float:
    return 0.0 if packet.pts is None else float(packet.pts * packet.time_base)
