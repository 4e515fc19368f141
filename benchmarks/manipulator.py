"""Measure how close NED's manipulator comes to the ground truth on synthetic speakers that it was not trained on.

The speakers say the same words with two emotions. For each way to get from the first emotion to the second: the mean
distance of the 52 coefficients to the ground truth, the same over the units that an emotion may change, and the
correlation of the opening of the inner lips with that of the ground truth, over the sequences in which it varies.
`copy` changes nothing. `label` knows the name of the emotion; `reference` knows other frames of the same speaker with
that emotion, as does the presets' reference director in `presets, reference`.

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

SEED = 2_000_000  # of speakers that are neither in the training nor in the validation set
EDITED_FRAMES = SEQUENCE_FRAMES // 2  # the other frames of a sequence are the reference
MIN_OPENING_DEVIATION = 0.02  # cm; the correlation of an opening that varies less is meaningless


def as_motion(coefficients: np.ndarray, head: AnnyHead) -> Motion:
    """Motion of a head that looks straight ahead, with coefficients (T, 52)."""
    frames = len(coefficients)
    return Motion(
        coefficients=coefficients,
        scale=np.full(frames, 10.0),
        rotation=np.repeat(np.eye(3)[None], frames, 0),
        translation=np.zeros((frames, 3)),
        identity=head.neutral,
        weight=np.ones(frames, np.float32),
    )


def known_style(coefficients: np.ndarray, emotion: int) -> ReferenceStyle:
    """Style of a reference with coefficients (n, 52) that shows one of `EMOTIONS`, by index."""
    return ReferenceStyle(coefficients.mean(0), np.eye(len(EMOTIONS))[emotion], np.zeros(256), coefficients)


def compare(edited: np.ndarray, truth: np.ndarray, head: AnnyHead, editable: np.ndarray) -> dict[str, float]:
    """Compare edited coefficients to the ground truth.

    Args:
        edited: (T, 52).
        truth: (T, 52).
        head: of the coefficients.
        editable: units that an emotion may change, (52,) bool.

    Returns:
        The figures of one sequence; NaN for the mouth where the opening hardly varies.
    """
    opening, true_opening = lip_opening(edited, head), lip_opening(truth, head)
    varies = min(opening.std(), true_opening.std()) > MIN_OPENING_DEVIATION
    distance = np.abs(edited - truth)
    return {
        "error": float(distance.mean()),
        "error where free": float(distance[:, editable].mean()),
        "mouth": float(np.corrcoef(opening, true_opening)[0, 1]) if varies else np.nan,
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=140)
    parser.add_argument("--weights", default="ned-manipulator", help="a name or file of a manipulator")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    head, data = load_anny_head(), SyntheticWindows(SEED, arguments.sequences)
    manipulator = ManipulatorDirector(head, load_manipulator(arguments.weights))
    directors: dict[str, tuple[Director, bool]] = {  # and whether it is given the reference
        "presets, label": (PresetDirector(head), False),
        "presets, reference": (ReferenceDirector(head), True),
        "manipulator, label": (manipulator, False),
        "manipulator, reference": (manipulator, True),
    }
    editable = ~speech_unit_mask(head.names)
    values: dict[str, list[float]] = defaultdict(list)
    for number in range(arguments.sequences):
        source, truth, _, emotion = data.sequence(number)
        motion = as_motion(source[:EDITED_FRAMES], head)
        style = known_style(truth[EDITED_FRAMES:], emotion)
        edited = {"copy": motion.coefficients}
        for name, (director, by_reference) in directors.items():
            target = Target(reference=style) if by_reference else Target(EMOTIONS[emotion])
            edited[name] = director(motion, target).coefficients
        for name, coefficients in edited.items():
            for measure, value in compare(coefficients, truth[:EDITED_FRAMES], head, editable).items():
                values[f"{name}: {measure}"].append(value)
    print_rows("manipulator", {label: float(np.nanmean(v)) for label, v in values.items()}, arguments.json)


if __name__ == "__main__":
    main()
