"""Makes the units exact where the eye sees a slip at once: lids that meet, lips that close, brows that keep shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asccl.face import mesh

# upper lid, lower lid, from the outer corner inwards; right eye, then left
LIDS = {
    "Right": ((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155)),
    "Left": ((466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382)),
}
BROW_ROWS = ((mesh.RIGHT_BROW_TOP, mesh.RIGHT_BROW_LOW), (mesh.LEFT_BROW_TOP, mesh.LEFT_BROW_LOW))


def corrected(expression: np.ndarray, neutral: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(52, 468, 3) as the mesh has it -> the same with blinks, closed lips and brows put right."""
    units = expression.copy()
    at = {name: i for i, name in enumerate(names)}
    for side, pairs in LIDS.items():
        blink = units[at[f"eyeBlink{side}"]]
        for upper, lower in pairs:
            blink[upper, 1:] = (neutral[lower] + blink[lower] - neutral[upper])[1:]
    jaw_open, mouth_close = units[at["jawOpen"]], units[at["mouthClose"]]
    upper, lower = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)
    gap = (jaw_open + mouth_close)[lower] - (jaw_open + mouth_close)[upper]
    mouth_close[upper] += gap / 2
    mouth_close[lower] -= gap / 2
    for name in ("browInnerUp", "browDownLeft", "browDownRight", "browOuterUpLeft", "browOuterUpRight"):
        for top, low in BROW_ROWS:
            unit = units[at[name]]
            unit[list(top)] = unit[list(low)] = (unit[list(top)] + unit[list(low)]) / 2
    return units
