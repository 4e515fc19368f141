"""Labels in RAVDESS file names (Livingstone and Russo, 2018): seven numbers, the modality first, the actor last."""

from __future__ import annotations

import re
from pathlib import Path

from asccl.data.labels import Labels

EMOTION_CODES = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fear",
    "07": "disgusted",
    "08": "surprised",
}
MODALITY_VIEWS = {"01": None, "02": "silent"}  # 01 has sound, 02 is the same take without
NAME_PATTERN = re.compile(r"(0[12])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)")


def parse_labels(path: Path) -> Labels | None:
    """Return the labels in a RAVDESS file name, None for other names.

    The emotion calm is returned as it is. Repetitions of a statement have the same words.
    """
    match = NAME_PATTERN.fullmatch(path.stem)
    if match is None:
        return None
    modality, channel, emotion, intensity, statement, _, actor = match.groups()
    words = statement if channel == "01" else f"sung-{statement}"
    return Labels(actor, EMOTION_CODES[emotion], words, int(intensity), MODALITY_VIEWS[modality])
