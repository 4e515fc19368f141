"""Correct the ARKit units where a small error is visible: lids that meet, lips that close, brows that keep shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asccl.face import mesh

# (upper lid, lower lid) landmarks, from the outer corner inwards
LIDS = {
    "Right": ((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155)),
    "Left": ((466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382)),
}
BROW_ROWS = ((mesh.RIGHT_BROW_TOP, mesh.RIGHT_BROW_LOW), (mesh.LEFT_BROW_TOP, mesh.LEFT_BROW_LOW))


def correct_units(expression: np.ndarray, neutral: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Correct blinks, closed lips and brows.

    Args:
        expression: (52, 468, 3) cm, the units as interpolated on the mesh.
        neutral: (468, 3) cm.
        names: of the 52 units.

    Returns:
        (52, 468, 3) cm.
    """
    units = expression.copy()
    index = {name: i for i, name in enumerate(names)}
    for side, lid_pairs in LIDS.items():
        blink = units[index[f"eyeBlink{side}"]]
        for upper, lower in lid_pairs:
            blink[upper, 1:] = (neutral[lower] + blink[lower] - neutral[upper])[1:]
    jaw_open, mouth_close = units[index["jawOpen"]], units[index["mouthClose"]]
    upper_lip, lower_lip = list(mesh.UPPER_INNER_LIP), list(mesh.LOWER_INNER_LIP)
    gap = (jaw_open + mouth_close)[lower_lip] - (jaw_open + mouth_close)[upper_lip]
    mouth_close[upper_lip] += gap / 2
    mouth_close[lower_lip] -= gap / 2
    for name in ("browInnerUp", "browDownLeft", "browDownRight", "browOuterUpLeft", "browOuterUpRight"):
        for top, low in BROW_ROWS:
            unit = units[index[name]]
            unit[list(top)] = unit[list(low)] = (unit[list(top)] + unit[list(low)]) / 2
    return units
