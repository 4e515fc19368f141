"""Speech by eSpeak NG with the time of every phoneme, so that a synthetic speaker's mouth fits its sound exactly.

The library is Debian's `espeak-ng` (GPL-3.0, loaded at run time, not distributed with this project).
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from asccl.errors import SettingError
from asccl.synthetic.speech import CONSONANTS, PAUSE, VisemeSequence

LIBRARY_NAMES = ("libespeak-ng.so.1", "libespeak-ng.1.dylib", "libespeak-ng.dll")
AUDIO_OUTPUT_SYNCHRONOUS = 2
PHONEME_EVENTS, IPA_NAMES = 1, 2  # options of espeak_Initialize
LIST_TERMINATED, PHONEME = 0, 7  # types of events
UTF8 = 1
RATE_PARAMETER, PITCH_PARAMETER = 1, 3  # of espeak_SetParameter
NORMAL_RATE, NORMAL_PITCH = 165, 50  # words per minute; 0 to 100
PLOSIVES = ("p", "b", "t", "d", "k", "ɡ", "tʃ", "dʒ")  # the lips and the tongue close before the burst
MAX_VISEME_SECONDS = 0.25
VISEMES = {  # first letters of IPA -> viseme; longer keys first
    "tʃ": "sh",
    "dʒ": "sh",
    "aɪ": "aa",
    "aʊ": "aa",
    "eɪ": "eh",
    "oʊ": "ow",
    "əʊ": "ow",
    "ɔɪ": "ao",
    **dict.fromkeys("pbm", "p"),
    **dict.fromkeys("fv", "f"),
    **dict.fromkeys("θð", "th"),
    **dict.fromkeys("tdnlɾ", "t"),
    **dict.fromkeys("sz", "s"),
    **dict.fromkeys("ʃʒ", "sh"),
    **dict.fromkeys("kɡgŋhx", "k"),
    **dict.fromkeys("rɹ", "r"),
    "w": "w",
    "j": "iy",
    **dict.fromkeys("aɑɐ", "aa"),
    **dict.fromkeys("æ", "ae"),
    **dict.fromkeys("eɛ", "eh"),
    **dict.fromkeys("iɪ", "iy"),
    **dict.fromkeys("əʌɜɚɝᵻ", "uh"),
    **dict.fromkeys("ɔɒ", "ao"),
    "o": "ow",
    **dict.fromkeys("uʊ", "uw"),
}

_synthesizing = threading.Lock()


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class SpokenText:
    """Synthetic speech.

    Attributes:
        samples: (N,) float32 in [-1, 1].
        rate: samples per second.
        phonemes: in IPA; empty for silence.
        starts: (P,) seconds at which each phoneme begins.
    """

    samples: np.ndarray
    rate: int
    phonemes: tuple[str, ...]
    starts: np.ndarray

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / self.rate


def is_installed() -> bool:
    """Return whether the library can be loaded."""
    try:
        _library()
    except SettingError:
        return False
    return True


def speak(text: str, voice: str = "en-us", rate: float = 1.0, pitch: float = 1.0) -> SpokenText:
    """Synthesize a text.

    Args:
        text: to be spoken.
        voice: name of an eSpeak voice or language.
        rate: factor of the normal speed.
        pitch: factor of the normal pitch.

    Raises:
        SettingError: eSpeak NG is not installed, or has no such voice.
    """
    library, sample_rate = _library()
    parts: list[np.ndarray] = []
    events: list[tuple[float, str]] = []

    def receive(samples: Any, count: int, list_of_events: Any) -> int:
        if samples and count > 0:
            parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while list_of_events[index].type != LIST_TERMINATED:
            event = list_of_events[index]
            if event.type == PHONEME:
                events.append((event.sample / sample_rate, event.id.string.decode("utf-8", "ignore")))
            index += 1
        return 0

    callback, data = _Callback(receive), text.encode()
    with _synthesizing:  # the library has one state for all threads
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SettingError(f"eSpeak NG has no voice {voice!r}", "choose from `espeak-ng --voices`")
        library.espeak_SetParameter(RATE_PARAMETER, round(rate * NORMAL_RATE), 0)
        library.espeak_SetParameter(PITCH_PARAMETER, round(pitch * NORMAL_PITCH), 0)
        library.espeak_SetSynthCallback(callback)
        library.espeak_Synth(data, len(data) + 1, 0, 1, 0, UTF8, None, None)
        library.espeak_Synchronize()
    samples = np.concatenate(parts).astype(np.float32) / 32768 if parts else np.zeros(0, np.float32)
    return SpokenText(samples, sample_rate, tuple(name for _, name in events), np.array([start for start, _ in events]))


def visemes_of(spoken: SpokenText, delay: float = 0.0) -> VisemeSequence:
    """Return the visemes of a spoken text.

    Args:
        spoken: with at least one phoneme.
        delay: seconds of silence before the speech.
    """
    ends = np.append(spoken.starts[1:], spoken.seconds)
    durations = np.clip(ends - spoken.starts, 0.02, MAX_VISEME_SECONDS)
    is_burst = np.array([name.startswith(PLOSIVES) for name in spoken.phonemes])
    centres = np.where(is_burst, spoken.starts, spoken.starts + durations / 2)
    names = tuple(_viseme(name) for name in spoken.phonemes)
    shortest = np.where(np.isin(names, list(CONSONANTS)), 0.06, 0.09)
    pauses = np.array([-0.15, spoken.seconds + 0.15])  # the mouth rests before and after
    return VisemeSequence(
        np.append(centres, pauses) + delay,
        np.append(np.maximum(durations, shortest), [0.3, 0.3]),
        (*names, PAUSE, PAUSE),
    )


def _viseme(phoneme: str) -> str:
    letters = phoneme.lstrip("ˈˌ")
    return VISEMES.get(letters[:2], VISEMES.get(letters[:1], PAUSE))


@cache
def _library() -> tuple[Any, int]:
    for name in LIBRARY_NAMES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        rate = library.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, None, PHONEME_EVENTS | IPA_NAMES)
        if rate > 0:
            return library, rate
    raise SettingError("eSpeak NG is not installed", "apt-get install espeak-ng, or brew install espeak-ng")
