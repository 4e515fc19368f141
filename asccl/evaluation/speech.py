"""Where somebody speaks (silero-vad), and where the lips must touch (pocketsphinx): both work offline."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from asccl.errors import AscclError
from asccl.evaluation.sound import Sound
from asccl.types import SOUND_RATE

VAD_WINDOW = 512  # samples
SPEECH_THRESHOLD = 0.5  # probability
BILABIAL_PHONES = frozenset({"P", "B", "M"})  # the lips touch, in the names of the CMU dictionary
PHONES_PER_SECOND = 100  # of the recognizer
MAX_UTTERANCE = 20.0  # seconds that are decoded at once
MIN_UTTERANCE = 0.3  # seconds


class Segment(NamedTuple):
    """A part of a sound in seconds, from `start` to `stop`."""

    start: float
    stop: float


def speech_segments(sound: Sound) -> list[Segment]:
    """Return the parts in which somebody speaks. Raises AscclError without silero-vad."""
    import torch

    with _restored_threads():
        model = _load_vad()
        model.reset_states()
        samples, speaking = sound.samples, []
        with torch.inference_mode():
            for start in range(0, len(samples), VAD_WINDOW):
                window = np.asarray(samples[start : start + VAD_WINDOW], np.float32) / 32768
                window = np.pad(window, (0, VAD_WINDOW - len(window)))
                speaking.append(float(model(torch.from_numpy(window), SOUND_RATE)) >= SPEECH_THRESHOLD)
    edges = np.flatnonzero(np.diff(np.array([False, *speaking, False]).astype(int)))
    seconds = edges * (VAD_WINDOW / sound.rate)
    return [Segment(float(a), float(b)) for a, b in zip(seconds[::2], seconds[1::2], strict=True)]


def frames_in(segments: list[Segment], count: int, frame_rate: float) -> np.ndarray:
    """Mark the frames whose middle lies in a segment.

    Args:
        segments: parts of the sound.
        count: number of frames.
        frame_rate: frames per second.

    Returns:
        (count,) bool.
    """
    middle = (np.arange(count) + 0.5) / frame_rate
    inside = np.zeros(count, bool)
    for segment in segments:
        inside |= (middle >= segment.start) & (middle < segment.stop)
    return inside


def bilabial_segments(sound: Sound) -> list[Segment]:
    """Return the phones /p b m/, recognized with English phones and without words, which other languages lack.

    Raises AscclError without pocketsphinx.
    """
    decoder = _load_decoder()
    segments = []
    for utterance in _utterances(sound):
        first = round(utterance.start * sound.rate)
        decoder.start_utt()
        samples = np.asarray(sound.samples[first : round(utterance.stop * sound.rate)])
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        for phone in decoder.seg() or ():
            if phone.word in BILABIAL_PHONES:
                start, stop = phone.start_frame / PHONES_PER_SECOND, (phone.end_frame + 1) / PHONES_PER_SECOND
                segments.append(Segment(utterance.start + start, utterance.start + stop))
    return segments


def require_pocketsphinx() -> None:
    """Raise AscclError unless pocketsphinx is installed."""
    _load_decoder()


def _utterances(sound: Sound) -> Iterator[Segment]:
    """The parts with speech if silero-vad is installed, else all, of at most `MAX_UTTERANCE`."""
    try:
        parts = speech_segments(sound)
    except AscclError:
        parts = [Segment(0.0, sound.duration)]
    for part in parts:
        start = part.start
        while part.stop - start >= MIN_UTTERANCE:
            yield Segment(start, min(start + MAX_UTTERANCE, part.stop))
            start += MAX_UTTERANCE


@cache
def _load_vad() -> Any:
    try:
        from silero_vad import load_silero_vad
    except ImportError as error:
        raise AscclError("silero-vad is not installed", "pip install 'asccl[eval]'") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PyTorch announces the end of TorchScript, in which it is saved
        return load_silero_vad()


@cache
def _load_decoder() -> Any:
    try:
        from pocketsphinx import Decoder, get_model_path
    except ImportError as error:
        raise AscclError("pocketsphinx is not installed", "pip install 'asccl[eval]'") from error
    phones = get_model_path("en-us/en-us-phone.lm.bin")
    return Decoder(allphone=phones, beam=1e-20, pbeam=1e-20, lw=2.0, loglevel="FATAL")  # as its documentation advises


@contextmanager
def _restored_threads() -> Iterator[None]:
    """Undo the number of threads that importing silero-vad sets."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
