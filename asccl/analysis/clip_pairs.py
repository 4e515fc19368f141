"""Which clips of a folder are one sentence with two emotions, told by their names: the pairs of Figures 2 and 6.

Names that are understood: `talk-happy.mp4` beside `talk.mp4` or `talk-neutral.mp4`, as the editor writes them; a folder
named by emotion, as in MEAD (`happy/level_3/001.mp4`); RAVDESS's numbers (`01-01-03-01-02-01-04.mp4`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from asccl.errors import InputError
from asccl.types import EMOTIONS

SUFFIXES = frozenset(
    (
        *(".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".gif"),
        *(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".heic"),
    )
)
WORDS = {
    **{name: name for name in EMOTIONS},
    **{"anger": "angry", "disgust": "disgusted", "fearful": "fear", "afraid": "fear", "happiness": "happy"},
    **{"joy": "happy", "sadness": "sad", "surprise": "surprised"},
}  # fmt: skip
RAVDESS = re.compile(r"\d\d(-\d\d){6}")
RAVDESS_EMOTIONS = {
    "01": "neutral", "03": "happy", "04": "sad", "05": "angry", "06": "fear", "07": "disgusted", "08": "surprised",
}  # fmt: skip
LEVEL = re.compile(r"level_\d")


class LabelledClip(NamedTuple):
    """A clip of this emotion (None: its name says none) and what its name says beside it."""

    path: Path
    emotion: str | None
    sentence: str


class EmotionPair(NamedTuple):
    """Two clips of one sentence. label: "neutral – happy"."""

    source: Path
    generated: Path
    label: str


def find_pairs(folder: Path) -> list[EmotionPair]:
    """All pairs of a folder and the folders in it. Raises InputError where there is none."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    return pair_clips([parse_clip_name(path, folder) for path in files], folder.name or str(folder))


def pair_clips(clips: Iterable[LabelledClip], where: str = "these files") -> list[EmotionPair]:
    """Neutral, or what bears no emotion in its name, against each other emotion of the same sentence.

    A single neutral clip serves all sentences. In the order of the emotions. Raises InputError.
    """
    clips = list(clips)
    still = [clip for clip in clips if clip.emotion in (None, "neutral")]
    found = []
    for clip in clips:
        if clip.emotion not in (None, "neutral") and (source := _partner(clip, still)) is not None:
            found.append(EmotionPair(source.path, clip.path, f"{source.emotion or 'source'} – {clip.emotion}"))
    if not found:
        raise InputError(
            f"{where} holds no pair of emotions",
            "name the clips by emotion, for instance talk-neutral.mp4 and talk-happy.mp4",
        )
    return sorted(found, key=lambda pair: (EMOTIONS.index(pair.label.rpartition(" ")[2]), pair.generated))


def _partner(clip: LabelledClip, candidates: Sequence[LabelledClip]) -> LabelledClip | None:
    if len(candidates) == 1:
        return candidates[0]
    same = [c for c in candidates if c.sentence == clip.sentence]
    return min(same, key=lambda c: c.emotion is None, default=None)  # one that says neutral comes first


def parse_clip_name(path: Path, folder: Path | None = None) -> LabelledClip:
    """What the name of a clip says; `folder`: from where on folders' names count."""
    if RAVDESS.fullmatch(path.stem):
        parts = path.stem.split("-")  # 02, calm, counts as no emotion, as in the paper
        sentence = "-".join(parts[4:])  # intensity left out: neutral has but one
        return LabelledClip(path, RAVDESS_EMOTIONS.get(parts[2]), sentence)
    above = path.relative_to(folder).parts[:-1] if folder is not None else ()
    words = [word for part in (*above, path.stem) for word in re.split(r"[^a-z0-9]+", LEVEL.sub("", part.lower()))]
    emotion = next((WORDS[word] for word in reversed(words) if word in WORDS), None)
    return LabelledClip(path, emotion, "-".join(word for word in words if word and word not in WORDS))
