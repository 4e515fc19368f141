"""Measure what each part of the warp renderer buys, and what it costs in identity.

For every clip and emotion the plain preset is rendered on the sample frames at its identity budget, and once more with
each part of the renderer switched off or changed. Columns are as in `benchmarks.preset_units`: means over the clips of
the preset, and how they change without the part. Two rows show the same for a tenth less and a tenth more strength: a
part is worth its cost where it buys more readability than strength does.

    python -m benchmarks.edit_parts [CLIP ...] [--emotions happy disgusted ...] [--frames 3] [--json FILE]

By default the bundled examples are measured. The held-out network takes no part.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from asccl.editing.adaptation.adapt import FaceEvaluator, adaptation_goal, plain_edit
from asccl.editing.editor import Editor
from asccl.editing.models import load_models
from asccl.editing.preview import PreviewSession
from asccl.editing.strength import min_identity_cosine
from asccl.editing.threads import limit_threads
from asccl.renderers.warp import displacement, renderer
from asccl.renderers.warp.shading import SkinModel
from asccl.renderers.warp.wrinkles import WrinkleModel
from asccl.types import EMOTIONS
from asccl.video import Limits
from benchmarks.adapt import build_evaluator
from benchmarks.preset_units import COLUMNS, EXAMPLES, describe, mean_rows
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
    "lids open twice as far at most": ((displacement, "MAX_LID_OPENING", 1.0),),
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
        preset = describe(goal, plain)
        rows = {"preset": preset}
        for name, factor in STRENGTHS.items():
            rows[name] = describe(goal, evaluate(factor * strength, no_offsets)) - preset
    for name, changes in PARTS.items():
        with changed(changes), evaluate.workers():  # which measure the calm face anew
            rows[name] = describe(goal, evaluate(strength, no_offsets)) - preset
    return rows


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIP", help="default: the bundled examples")
    parser.add_argument("--emotions", nargs="+", choices=EMOTIONS[1:], default=list(EMOTIONS[1:]), metavar="NAME")
    parser.add_argument("--frames", type=int, default=3, help="sample frames of a clip")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    limit_threads()
    editor = Editor()
    clips = arguments.clips or EXAMPLES
    sessions = [PreviewSession.open(clip, editor.faces(clip)[0], load_models(), Limits()) for clip in clips]
    results: dict[str, float | str] = {"clips": float(len(clips))}
    for emotion in arguments.emotions:
        faces = [measure_parts(build_evaluator(s, emotion, arguments.frames)) for s in sessions]
        for part, values in mean_rows(faces).items():
            results |= {f"{emotion}: {part}: {name}": float(v) for name, v in zip(COLUMNS, values, strict=True)}
    print_rows("edit_parts", results, arguments.json)


if __name__ == "__main__":
    main()
