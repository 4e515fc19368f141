"""Measure how much each part of the warp renderer adds to the emotion, and how much identity it costs.

For every clip and emotion the plain preset is rendered on the sample frames at its identity budget, and once more with
each part of the renderer switched off or changed. Columns are as in `benchmarks.preset_units`: means over the clips of
the preset, and how they change without the part. Two rows show the same for a tenth less and a tenth more strength: a
part is worth its cost where it adds more readability for the same identity than strength does.

    python -m benchmarks.edit_parts [CLIP ...] [--emotions happy disgusted ...] [--frames 3] [--json FILE]

By default the bundled examples are measured. The held-out network takes no part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from asccl.editing.adaptation.adapt import FaceEvaluator, adaptation_goal, plain_edit
from asccl.editing.strength import min_identity_cosine
from asccl.renderers.warp import displacement, renderer
from asccl.renderers.warp.shading import SkinModel
from asccl.renderers.warp.wrinkles import WrinkleModel
from benchmarks.preset_units import label_columns, measure_clips, measure_columns, parse_arguments
from benchmarks.report import print_rows

Change = tuple[Any, str, Any]  # object, name of its attribute, other value
STRENGTHS = {"a tenth less strength": 0.9, "a tenth more strength": 1.1}


def scaled_depth(factor: float) -> Callable[..., np.ndarray]:
    """Depth map of wrinkles that are deeper by a factor."""
    original = WrinkleModel.depth_map
    return lambda *arguments: factor * original(*arguments)


def scaled_brightness(factor: float) -> Callable[..., np.ndarray]:
    """Change of brightness by turned normals that is larger by a factor."""
    original = SkinModel.brightness_ratio
    return lambda *arguments: (1 + factor * (original(*arguments) - 1)).astype(np.float32)


PARTS: dict[str, tuple[Change, ...]] = {
    "no fold lines": ((WrinkleModel, "depth_map", scaled_depth(0.0)),),
    "fold lines half as deep": ((WrinkleModel, "depth_map", scaled_depth(0.5)),),
    "no shade by normals": ((SkinModel, "brightness_ratio", scaled_brightness(0.0)),),
    "grey shadows": ((SkinModel, "shadow_slopes", np.ones(3)),),
    "own creases not deepened": ((renderer, "CREASE_GAIN", 0.0),),
    "no crease smoothed": ((SkinModel, "smooth_creases", lambda *_: None),),
    "wider band held at the outline": ((displacement, "OUTLINE_RADIUS", 0.12),),
    "lids open by all of the opening at most": ((displacement, "MAX_LID_OPENING", 1.0),),
}


@contextmanager
def changed(changes: tuple[Change, ...]) -> Iterator[None]:
    """Render with other values of some attributes."""
    with ExitStack() as stack:
        for change in changes:
            stack.enter_context(patch.object(*change))
        yield


def measure_parts(evaluate: FaceEvaluator) -> dict[str, np.ndarray]:
    """Measure the plain preset of one face ("preset"), and how it changes with each part of the renderer.

    Args:
        evaluate: of the face.

    Returns:
        Values in the order of `COLUMNS` by name of the part.
    """
    goal, no_offsets = adaptation_goal(evaluate.target), np.zeros(len(evaluate.head.names))
    with evaluate.workers():
        strength, plain = plain_edit(evaluate, 1 - min_identity_cosine(goal.emotion_weights))
        preset = measure_columns(goal, plain)
        rows = {"preset": preset}
        for name, factor in STRENGTHS.items():
            rows[name] = measure_columns(goal, evaluate(factor * strength, no_offsets)) - preset
    for name, changes in PARTS.items():
        with changed(changes), evaluate.workers():  # which measure the calm face anew
            rows[name] = measure_columns(goal, evaluate(strength, no_offsets)) - preset
    return rows


def main() -> None:
    """Run the benchmark."""
    arguments = parse_arguments(__doc__)
    results: dict[str, float | str] = {"clips": float(len(arguments.clips))}
    for emotion, part, values in measure_clips(arguments, measure_parts):
        results |= label_columns(f"{emotion}: {part}", values)
    print_rows("edit_parts", results, arguments.json)


if __name__ == "__main__":
    main()
