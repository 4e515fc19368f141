"""Clips with four panels side by side, as the authors of the paper publish them: source, reference, NED, NED + ASCCL.

    folder/Cross-ID/M003_source_angry_017.mp4        SPEAKER_source_EMOTION_NUMBER; the emotion is the target

Their generated panels start two frames late, so their offset is estimated.
"""

from __future__ import annotations

import re
from pathlib import Path

from asccl.errors import InputError
from asccl.evaluation.manifest import EvaluationRow, LeftOut, parse_setting
from asccl.types import EMOTIONS

PANEL_METHODS = {2: "ned-published", 3: "asccl-published"}  # number of the panel -> method
NAME_PATTERN = re.compile(r"(?P<speaker>[^_]+)_source_(?P<emotion>[a-z]+)_(?P<number>\w+)")


def panel_rows(folder: Path) -> tuple[list[EvaluationRow], list[LeftOut]]:
    """List the clips of a folder.

    Args:
        folder: has a folder per setting, such as Inter-ID and Cross-ID.

    Returns:
        A row per clip and method, and the files that do not fit.

    Raises:
        InputError: there is no such folder, or no such clip in it.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", "give the folder of Inter-ID and Cross-ID")
    rows: list[EvaluationRow] = []
    left_out: list[LeftOut] = []
    for path in sorted(folder.glob("*/*.mp4")):
        match = NAME_PATTERN.fullmatch(path.stem)
        try:
            setting = parse_setting(path.parent.name)
        except InputError as error:
            left_out.append(LeftOut(str(path), str(error)))
            continue
        if match is None or match["emotion"] not in EMOTIONS:
            left_out.append(LeftOut(str(path), "it is not named SPEAKER_source_EMOTION_NUMBER.mp4: rename it"))
            continue
        rows += [
            EvaluationRow(
                id=f"{setting}/{path.stem}",
                setting=setting,
                source=f"{path}#0",
                emotion=match["emotion"],
                speaker=match["speaker"],
                method=method,
                generated=f"{path}#{panel}",
                reference=f"{path}#1",
                offset=None,
            )
            for panel, method in PANEL_METHODS.items()
        ]
    if not rows:
        raise InputError(f"{folder} has no clip with four panels", "give the folder of Inter-ID and Cross-ID")
    return rows, left_out
