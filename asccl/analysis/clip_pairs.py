"""Pair the clips of a folder that show one sentence with two emotions, by their names: the pairs of Figures 2 and 6.

Three kinds of names are understood: `talk-happy.mp4` beside `talk.mp4` or `talk-neutral.mp4`, as the editor writes
them; folders named by emotion, as in MEAD (`happy/level_3/001.mp4`); and RAVDESS names (`01-01-03-01-02-01-04.mp4`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from asccl.data import ravdess
from asccl.errors import InputError
from asccl.types import EMOTIONS

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".gif")
STILL_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".heic")
EMOTION_SYNONYMS = {
    "anger": "angry",
    "disgust": "disgusted",
    "fearful": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprise": "surprised",
}
EMOTION_WORDS = {**{emotion: emotion for emotion in EMOTIONS}, **EMOTION_SYNONYMS}
RAVDESS_PATTERN = re.compile(r"\d\d(-\d\d){6}")
LEVEL_PATTERN = re.compile(r"level_\d")


class LabelledClip(NamedTuple):
    """A clip and what its name says.

    Attributes:
        path: the file.
        emotion: one of `EMOTIONS`, or None if the name has none.
        sentence: the rest of the name, equal for clips of one sentence.
    """

    path: Path
    emotion: str | None
    sentence: str


class EmotionPair(NamedTuple):
    """Two clips of one sentence.

    Attributes:
        source: the neutral clip.
        generated: the clip with an emotion.
        label: both emotions, such as "neutral – happy".
    """

    source: Path
    generated: Path
    label: str


def find_pairs(folder: Path) -> list[EmotionPair]:
    """Find all pairs of a folder and its subfolders.

    Raises:
        InputError: there is no pair.
    """
    suffixes = VIDEO_SUFFIXES + STILL_SUFFIXES
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    return pair_clips([parse_clip_name(path, folder) for path in paths], folder.name or str(folder))


def pair_clips(clips: Iterable[LabelledClip], place: str = "the list of files") -> list[EmotionPair]:
    """Pair the neutral clip of each sentence with its clips of other emotions.

    Clips without an emotion in their names count as neutral. A single neutral clip serves all sentences.

    Args:
        clips: see `parse_clip_name`.
        place: name of their folder for the error.

    Returns:
        The pairs in the order of `EMOTIONS`.

    Raises:
        InputError: there is no pair.
    """
    clips = list(clips)
    neutral = [clip for clip in clips if clip.emotion in (None, "neutral")]
    pairs = []
    for clip in clips:
        if clip.emotion not in (None, "neutral") and (source := _find_partner(clip, neutral)) is not None:
            pairs.append(EmotionPair(source.path, clip.path, f"{source.emotion or 'source'} – {clip.emotion}"))
    if not pairs:
        raise InputError(
            f"{place} holds no pair of emotions",
            "name the clips by emotion, for instance talk-neutral.mp4 and talk-happy.mp4",
        )
    return sorted(pairs, key=lambda pair: (EMOTIONS.index(pair.label.rpartition(" ")[2]), pair.generated))


def _find_partner(clip: LabelledClip, candidates: Sequence[LabelledClip]) -> LabelledClip | None:
    """Return the candidate of the same sentence, preferably one with the word neutral in its name."""
    if len(candidates) == 1:
        return candidates[0]
    same_sentence = [c for c in candidates if c.sentence == clip.sentence]
    return min(same_sentence, key=lambda c: c.emotion is None, default=None)


def parse_clip_name(path: Path, folder: Path | None = None) -> LabelledClip:
    """Read emotion and sentence from the name of a clip and of the folders between `folder` and the clip."""
    if RAVDESS_PATTERN.fullmatch(path.stem):
        codes = path.stem.split("-")
        emotion = ravdess.EMOTION_CODES.get(codes[2])
        sentence = "-".join(codes[4:])  # without the intensity: neutral has one intensity only
        return LabelledClip(path, emotion if emotion in EMOTIONS else None, sentence)  # calm counts as no emotion
    folders = path.relative_to(folder).parts[:-1] if folder is not None else ()
    texts = (LEVEL_PATTERN.sub("", part.lower()) for part in (*folders, path.stem))
    words = [word for text in texts for word in re.split(r"[^a-z0-9]+", text)]
    emotion = next((EMOTION_WORDS[word] for word in reversed(words) if word in EMOTION_WORDS), None)
    return LabelledClip(path, emotion, "-".join(word for word in words if word and word not in EMOTION_WORDS))
