"""What RAVDESS's file names say (Livingstone and Russo, 2018): seven numbers, modality first, actor last."""

from __future__ import annotations

import re
from pathlib import Path

from asccl.data.labels import Labels

RAVDESS_EMOTIONS = (
    "neutral",
    "calm",
    "happy",
    "sad",
    "angry",
    "fear",
    "disgusted",
    "surprised",
)  # 01 to 08, in our spelling
VIEWS = {"01": None, "02": "silent"}  # with sound; the same take without
NAME_PATTERN = re.compile(r"(0[12])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")


def parse_labels(path: Path) -> Labels | None:
    """Of a file that is named like RAVDESS's; None elsewhere. calm is told as it is. Repetitions say the same."""
    found = NAME_PATTERN.fullmatch(path.stem)
    if found is None:
        return None
    modality, channel, emotion, intensity, statement, _, actor = found.groups()
    words = statement if channel == "01" else f"sung-{statement}"
    return Labels(actor, RAVDESS_EMOTIONS[int(emotion) - 1], words, int(intensity), VIEWS[modality])
