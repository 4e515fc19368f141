"""Synthetic recordings in the layout of MEAD or RAVDESS: speech by eSpeak NG moves the mouth of a synthetic speaker.

The lips therefore follow the sound exactly, and the emotion of every clip is known. A clip depends on the seed, the
actor, the emotion and its number only.
"""

from __future__ import annotations

import json
import tempfile
import wave
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from asccl.data.protocols import PROTOCOLS, TestProtocol
from asccl.errors import SettingError
from asccl.files import write_atomic
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.synthetic.camera import Camera
from asccl.synthetic.datasets import render_clip
from asccl.synthetic.emotions import apply_emotion, sample_style
from asccl.synthetic.person import SyntheticPerson
from asccl.synthetic.speech import blink_track, gaze_track, idle_track, viseme_track
from asccl.types import EMOTIONS, Frame, Image, MediaInfo
from asccl.video import EncodeSettings, Writer
from training.evaluation.espeak import SpokenText, is_installed, speak, visemes_of
from training.preprocess.workers import run_in_processes, run_serially

FRAME_RATE = 30  # Hz, as in MEAD and RAVDESS
SILENCE_SECONDS = 0.2  # before and after the words
STYLE_INTENSITY = (0.9, 1.3)
SWAY_DEGREES, SWAY_SECONDS = (5.0, 3.0, 2.0), (3.1, 4.3, 5.9)  # of yaw, pitch and roll
ENCODING = EncodeSettings(crf=14.0)
INFO_FILE = "talking-set.json"
SENTENCES = (
    "Bob may keep my map by the boat.",
    "Mom put the warm bread above the oven.",
    "We beat the tall team by a mile.",
    "Please open a pair of blue boxes.",
    "People walk home before five.",
    "Maybe the film begins at seven.",
    "Pam bought a purple umbrella.",
    "The old farmer made fine apple pie.",
    "You may bring both of them over.",
    "A small boy ran up the beach.",
    "Both movies were shown in spring.",
    "Her brother plays the piano poorly.",
    "My mother made us a big breakfast.",
    "Put the paper back on the table.",
)


@dataclass(frozen=True)
class TalkingSetSettings:
    """Settings of `training.make_talking_set`.

    Attributes:
        output: folder to make or to continue.
        layout: data set whose names and folders are used.
        actors: number of speakers; each but the last has its cross-id driver among them.
        takes: largest number of test clips of an actor and an emotion.
        size: side of a frame, pixels.
        max_seconds: longest clip.
        seed: selects the speakers.
        workers: number of processes; 0 uses this process alone.
    """

    output: Path = Path("build/talking")
    layout: Literal["mead", "ravdess"] = "mead"
    actors: int = 3
    takes: int = 2
    size: int = 256
    max_seconds: float = 3.0
    seed: int = 0
    workers: int = 0


@dataclass(frozen=True)
class TalkingClip:
    """One clip to render.

    Attributes:
        name: path below the root.
        actor: name of the speaker.
        emotion: one of `EMOTIONS`.
        number: of the take.
    """

    name: str
    actor: str
    emotion: str
    number: int


def plan_clips(settings: TalkingSetSettings) -> list[TalkingClip]:
    """Return the clips of the data set. Raises SettingError."""
    protocol = PROTOCOLS[settings.layout]
    if not 1 <= settings.actors <= len(protocol.drivers) or settings.takes < 1 or settings.max_seconds <= 0:
        raise SettingError(
            "actors, takes or max_seconds is out of range", f"give 1 to {len(protocol.drivers)} actors, 1 take or more"
        )
    clips = {}
    for actor in _driver_chain(protocol, settings.actors):
        for emotion in EMOTIONS:
            names = [*protocol.test_clips(actor, emotion), *protocol.references(actor, emotion)]
            for number, name in enumerate(list(dict.fromkeys(names))[: max(settings.takes, 1)]):
                clips[name] = TalkingClip(name, actor, emotion, number)
    return list(clips.values())


def _driver_chain(protocol: TestProtocol, count: int) -> list[str]:
    """Return actors of whom each is followed by the driver of its references."""
    chain = [next(iter(protocol.drivers))]
    while len(chain) < count:
        chain.append(protocol.drivers[chain[-1]])
    return chain


def render_talking_clip(settings: TalkingSetSettings, clip: TalkingClip) -> None:
    """Render a clip with its sound."""
    rng = np.random.default_rng((settings.seed, zlib.crc32(clip.name.encode())))
    head, spoken = load_anny_head(), _speak(clip)
    seconds = min(spoken.seconds + 2 * SILENCE_SECONDS, settings.max_seconds)
    frames = int(seconds * FRAME_RATE)
    style_rng = np.random.default_rng((settings.seed, zlib.crc32(f"{clip.actor} {clip.emotion}".encode())))
    words = spoken_words(spoken, frames, head, rng)
    coefficients = apply_emotion(words, sample_style(style_rng, clip.emotion, head, STYLE_INTENSITY), head)
    person = SyntheticPerson.sample(_actor_rng(settings, clip.actor), head)
    path = settings.output / clip.name
    path.parent.mkdir(parents=True, exist_ok=True)
    cameras = swaying_cameras(rng, frames, settings.size)
    write_spoken_clip(path, (image for image, _ in render_clip(person, coefficients, cameras, head)), spoken, frames)


def write_spoken_clip(
    path: Path, images: Iterable[Image], spoken: SpokenText, frames: int, encode: EncodeSettings = ENCODING
) -> None:
    """Write images and the speech that moves their lips.

    Args:
        path: MP4 file to write.
        images: (S, S, 3) uint8 RGB at `FRAME_RATE`.
        spoken: the speech, which begins after `SILENCE_SECONDS`.
        frames: number of images.
        encode: quality.
    """
    images = iter(images)
    first = next(images)
    seconds = frames / FRAME_RATE
    info = MediaInfo(
        path=path,
        width=first.shape[1],
        height=first.shape[0],
        frame_rate=Fraction(FRAME_RATE),
        time_base=Fraction(1, FRAME_RATE),
        duration=seconds,
        frames=frames,
        is_still=False,
        audio_tracks=1,
    )
    with tempfile.TemporaryDirectory(prefix="talking-") as folder:
        sound = Path(folder) / "speech.wav"
        _write_sound(sound, spoken, seconds)
        with Writer(path, info, sound, settings=encode) as writer:
            for index, image in enumerate(chain([first], images)):
                writer.write(Frame(image, index, index))


def _speak(clip: TalkingClip) -> SpokenText:
    is_woman = clip.actor.startswith("W") or (clip.actor.isdigit() and int(clip.actor) % 2 == 0)
    sentence = SENTENCES[(EMOTIONS.index(clip.emotion) + len(EMOTIONS) * clip.number) % len(SENTENCES)]
    return speak(sentence, "en-us+f3" if is_woman else "en-us", pitch=1.2 if is_woman else 0.9)


def _actor_rng(settings: TalkingSetSettings, actor: str) -> np.random.Generator:
    return np.random.default_rng((settings.seed, zlib.crc32(actor.encode())))


def spoken_words(spoken: SpokenText, frames: int, head: AnnyHead, rng: np.random.Generator) -> np.ndarray:
    """Return the coefficients of a speech without emotion, with blinks, gaze and idle movement.

    Args:
        spoken: begins after `SILENCE_SECONDS`.
        frames: T.
        head: head model.
        rng: of all that is not speech.

    Returns:
        (T, 52) float32 in [0, 1].
    """
    times = np.arange(frames) / FRAME_RATE
    tracks = [viseme_track(visemes_of(spoken, SILENCE_SECONDS), times, head)]
    tracks += [sample(rng, frames, head, FRAME_RATE) for sample in (blink_track, gaze_track, idle_track)]
    return np.clip(np.sum(tracks, 0), 0, 1).astype(np.float32)


def swaying_cameras(rng: np.random.Generator, frames: int, size: int) -> Iterator[Camera]:
    """Yield cameras in front of a slowly swaying head.

    Args:
        rng: of the phases.
        frames: number of cameras.
        size: side of the image in pixels.
    """
    phases = rng.uniform(0, 2 * np.pi, 3)
    for frame in range(frames):
        angles = 2 * np.pi * frame / FRAME_RATE / np.array(SWAY_SECONDS) + phases
        yaw, pitch, roll = np.array(SWAY_DEGREES) * np.sin(angles)
        yield Camera.from_angles(yaw, pitch, roll, size)


def _write_sound(path: Path, spoken: SpokenText, seconds: float) -> None:
    """Write the speech after `SILENCE_SECONDS` as a 16-bit WAV file of `seconds`."""
    samples = np.zeros(round(seconds * spoken.rate), np.float32)
    first = round(SILENCE_SECONDS * spoken.rate)
    part = spoken.samples[: max(len(samples) - first, 0)]
    samples[first : first + len(part)] = part
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(spoken.rate)
        file.writeframes((32767 * np.clip(samples, -1, 1)).astype("<i2").tobytes())


def main(settings: TalkingSetSettings) -> None:
    """Render the clips that are missing. Raises AscclError."""
    clips = plan_clips(settings)
    if not is_installed():
        speak("")  # raises, with the remedy
    recipe = {"seed": settings.seed, "size": settings.size, "max_seconds": settings.max_seconds}
    info = settings.output / INFO_FILE
    if info.exists() and json.loads(info.read_text(encoding="utf-8")) != recipe:
        raise SettingError(f"{settings.output} holds clips with other settings", "give another -o")
    write_atomic(info, json.dumps(recipe).encode())
    missing = [clip for clip in clips if not (settings.output / clip.name).exists()]
    function = partial(render_talking_clip, settings)
    results = (
        run_in_processes(function, missing, settings.workers) if settings.workers else run_serially(function, missing)
    )
    for result in tqdm(results, total=len(missing), unit="clip", disable=None):
        if result.error is not None:
            raise result.error
    print(f"{settings.output}: {len(clips)} clips of {settings.actors} speakers, {len(missing)} of them new")
