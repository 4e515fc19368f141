"""Does NED's manipulator find the truth? Speakers that it was not taught say the same words with two emotions.

For each way to go from the first emotion to the second: mean distance of the 52 coefficients to the truth, the same
over the units that an emotion may change, and the correlation of the inner lips' opening with the truth's, over the
sequences in which it moves. `copy` changes nothing. `label` knows the emotion's name; `reference` has seen other frames
of the same speaker with that emotion, as the presets' reference director has in `presets, reference`.

    python -m benchmarks.manipulator [--sequences 140] [--weights FILE] [--json FILE]
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from asccl.directors.base import Director, ReferenceStyle, Target
from asccl.directors.manipulator import ManipulatorDirector
from asccl.directors.preset import PresetDirector
from asccl.directors.reference import ReferenceDirector
from asccl.morphable.anny_head import AnnyHead, load_anny_head
from asccl.morphable.speech import speech_unit_mask
from asccl.synthetic.speech import lip_opening
from asccl.types import EMOTIONS, Motion
from asccl.zoo import load_manipulator
from benchmarks.report import print_rows
from training.datasets.windows import SEQUENCE_FRAMES, SyntheticWindows

SEED = 2_000_000  # neither trained on nor looked at in training
EDITED = SEQUENCE_FRAMES // 2  # frames; the others of a sequence are the reference
MOVES = 0.02  # cm: deviation of an opening below which its correlation says nothing


def motion(coefficients: np.ndarray, head: AnnyHead) -> Motion:
    n = len(coefficients)
    return Motion(
        coefficients, np.full(n, 10.0), np.repeat(np.eye(3)[None], n, 0), np.zeros((n, 3)), head.neutral,
        np.ones(n, np.float32),
    )  # fmt: skip


def reference(coefficients: np.ndarray, emotion: int) -> ReferenceStyle:
    return ReferenceStyle(coefficients.mean(0), np.eye(len(EMOTIONS))[emotion], np.zeros(256), coefficients)


def measure(made: np.ndarray, truth: np.ndarray, head: AnnyHead, free: np.ndarray) -> dict[str, float]:
    a, b = lip_opening(made, head), lip_opening(truth, head)
    moves = min(a.std(), b.std()) > MOVES
    return {
        "error": float(np.abs(made - truth).mean()), "error where free": float(np.abs(made - truth)[:, free].mean()),
        "mouth": float(np.corrcoef(a, b)[0, 1]) if moves else np.nan,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=140)
    parser.add_argument("--weights", default="ned-manipulator", help="a name or file of a manipulator")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    head, data = load_anny_head(), SyntheticWindows(SEED, arguments.sequences)
    ned, presets = ManipulatorDirector(head, load_manipulator(arguments.weights)), PresetDirector(head)
    ways: dict[str, tuple[Director, bool]] = {
        "presets, label": (presets, False), "presets, reference": (ReferenceDirector(head), True),
        "manipulator, label": (ned, False), "manipulator, reference": (ned, True),
    }  # fmt: skip
    free = ~speech_unit_mask(head.names)
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(arguments.sequences):
        source, target, _, emotion = data.sequence(number)
        shown = motion(source[:EDITED], head)
        made = {"copy": shown.coefficients}
        for way, (director, by_reference) in ways.items():
            style = reference(target[EDITED:], emotion) if by_reference else None
            made[way] = director(shown, Target(None if by_reference else EMOTIONS[emotion], style)).coefficients
        for way, coefficients in made.items():
            for name, value in measure(coefficients, target[:EDITED], head, free).items():
                found[f"{way}: {name}"].append(value)
    print_rows("manipulator", {label: float(np.nanmean(values)) for label, values in found.items()}, arguments.json)


if __name__ == "__main__":
    main()
