"""Measure how much each unit of a preset adds to the emotion, and how much identity it costs.

For every clip and emotion the plain preset is rendered on the sample frames at its identity budget, and once more for
each of its units with a part of that unit taken back. Columns are means over the clips: change of the readability (mean
log probability of the emotion to the two networks that the search reads), of their probability, of 1 - identity cosine,
of the raw shift of the mean embedding, and of the squared distance of the lip landmarks in percent of the eye
distance; and readability lost for each .01 of identity that is gained, "free" where nothing is lost. A unit that adds
little readability for the identity that it costs should get a smaller target. The held-out network takes no part:
presets are weighed by this table.

    python -m benchmarks.preset_units [CLIP ...] [--emotions happy disgusted ...] [--frames 3] [--json FILE]

By default the bundled examples are measured.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from asccl.editing.adaptation.adapt import FaceEvaluator, adaptation_goal, plain_edit
from asccl.editing.adaptation.measures import EditMeasures
from asccl.editing.adaptation.objective import Goal
from asccl.editing.editor import Editor
from asccl.editing.models import load_models
from asccl.editing.preview import PreviewSession
from asccl.editing.strength import min_identity_cosine
from asccl.editing.threads import limit_threads
from asccl.morphable.emotions import PRESETS, expand_units
from asccl.types import EMOTIONS
from asccl.video import Limits
from benchmarks.adapt import build_evaluator
from benchmarks.report import print_rows

EXAMPLES = [
    Path(__file__).parents[1] / "examples" / f"{name}.mp4" for name in ("astronaut", "ben", "emma", "maya", "paul")
]
TAKEN_SHARE = 0.4  # of a unit's target
MIN_TARGET = 0.05  # of a unit that is measured
COLUMNS = ("readability", "probability", "identity loss", "raw shift", "lips")


def measure_units(evaluate: FaceEvaluator) -> dict[str, np.ndarray]:
    """Measure the plain preset of one face ("preset"), and how it changes as each of its units is reduced.

    Args:
        evaluate: of the face and the emotion.

    Returns:
        Values in the order of `COLUMNS` by name of the unit.
    """
    goal, names, emotion = adaptation_goal(evaluate.target), evaluate.head.names, evaluate.target.emotion
    assert emotion is not None
    with evaluate.workers():
        strength, plain = plain_edit(evaluate, 1 - min_identity_cosine(goal.emotion_weights))
        preset = measure_columns(goal, plain)
        rows = {"preset": preset}
        for unit, target in PRESETS[emotion].units.items():
            if abs(target) > MIN_TARGET:
                reduced = evaluate(strength, expand_units({unit: -TAKEN_SHARE * target}, names))
                rows[unit] = measure_columns(goal, reduced) - preset
    return rows


def measure_columns(goal: Goal, measures: EditMeasures) -> np.ndarray:
    """Values of an edit in the order of `COLUMNS`."""
    reading = goal.readability(measures.logits, measures.features), goal.probability(measures.logits)
    return np.array([*reading, *(measures.cost(name) for name in ("identity", "raw shift", "lips"))])


def format_price(change: np.ndarray) -> str:
    """Readability lost for each .01 of identity won by reducing a unit. change: in the order of `COLUMNS`."""
    lost, won = -float(change[0]), -float(change[2])
    if won <= 0:
        return "wins no identity"
    return "free" if lost <= 0 else f"{lost / (100 * won):.3f} per .01"


def mean_rows(faces: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Mean over the faces of each row."""
    return {unit: np.mean([rows[unit] for rows in faces], axis=0) for unit in faces[0]}


def parse_arguments(description: str | None) -> argparse.Namespace:
    """Parse the arguments of a benchmark of presets: clips, emotions, frames and the JSON file."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", default=EXAMPLES, type=Path, metavar="CLIP", help="default: the examples")
    parser.add_argument("--emotions", nargs="+", choices=EMOTIONS[1:], default=list(EMOTIONS[1:]), metavar="NAME")
    parser.add_argument("--frames", type=int, default=3, help="sample frames of a clip")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    return parser.parse_args()


def measure_clips(
    arguments: argparse.Namespace, measure: Callable[[FaceEvaluator], dict[str, np.ndarray]]
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Measure the faces of all clips.

    Args:
        arguments: from `parse_arguments`.
        measure: returns rows of values in the order of `COLUMNS`, by name.

    Yields:
        Emotion, name of a row, and its mean over the clips.
    """
    limit_threads()
    editor = Editor()
    sessions = [PreviewSession.open(clip, editor.faces(clip)[0], load_models(), Limits()) for clip in arguments.clips]
    for emotion in arguments.emotions:
        faces = [measure(build_evaluator(session, emotion, arguments.frames)) for session in sessions]
        for name, values in mean_rows(faces).items():
            yield emotion, name, values


def label_columns(row: str, values: np.ndarray) -> dict[str, float | str]:
    """Label the values of a row by the names of `COLUMNS`."""
    return {f"{row}: {name}": float(value) for name, value in zip(COLUMNS, values, strict=True)}


def main() -> None:
    """Run the benchmark."""
    arguments = parse_arguments(__doc__)
    results: dict[str, float | str] = {"clips": float(len(arguments.clips))}
    for emotion, unit, values in measure_clips(arguments, measure_units):
        results |= label_columns(f"{emotion}: {unit}", values)
        if unit != "preset":
            results[f"{emotion}: {unit}: price"] = format_price(values)
    print_rows("preset_units", results, arguments.json)


if __name__ == "__main__":
    main()
