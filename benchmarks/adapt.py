"""Measure what the adaptation of an edit gains, and the effect of each of its bounds.

Every clip is edited on its sample frames: by the plain preset, and by adaptations with all bounds, without any, with
one of them alone, and with all but one (without a bound, its price is left out as well). Columns: seconds and renders
of the search; probability of the emotion to the two networks that the search reads, and to a held-out network that it
never reads; identity cosine; raw shift of the mean embedding (what the mean term of FAD measures); SCC score (the
paper's metric); distance of the lip landmarks in percent of the eye distance.

    python -m benchmarks.adapt [CLIP ...] [--emotions sad angry ...] [--frames 6] [--json FILE]

By default the bundled examples are measured. The figures are those of the search's own sample frames.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asccl.directors.base import Target
from asccl.editing.adaptation.adapt import Adaptation, FaceEvaluator, adapt, adaptation_goal, plain_edit
from asccl.editing.adaptation.bounds import BOUND_NAMES
from asccl.editing.adaptation.measures import load_adaptation_networks
from asccl.editing.adaptation.objective import softmax
from asccl.editing.adaptation.samples import FacePatch, attach_landmarks, select_samples
from asccl.editing.editor import Editor
from asccl.editing.models import load_models
from asccl.editing.plan import select_director
from asccl.editing.preview import PreviewSession
from asccl.editing.strength import min_identity_cosine
from asccl.editing.threads import limit_threads
from asccl.face.crop import expression_crop
from asccl.types import EMOTIONS, EditRequest, Image
from asccl.video import Limits
from benchmarks.held_out import held_out_probabilities
from benchmarks.report import print_rows

EXAMPLES = [Path(__file__).parents[1] / "examples" / name for name in ("astronaut.mp4", "rendered.mp4")]
# which bounds count: none, each one alone, all, all but one
ABLATIONS = {
    "adapted, no bound": (),
    **{f"adapted, {name} alone": (name,) for name in BOUND_NAMES},
    "adapted, all bounds": BOUND_NAMES,
    **{f"adapted, all but {name}": tuple(other for other in BOUND_NAMES if other != name) for name in BOUND_NAMES},
}
COLUMNS = ("seconds", "renders", "searched", "held out", "identity", "raw shift", "SCC", "lips %")


@dataclass
class KeepingEvaluator(FaceEvaluator):
    """Measures edits, and keeps the images of the last one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.images: dict[int, Image] = {}

    def render(self, edited, i: int) -> Image:
        self.images[i] = super().render(edited, i)
        return self.images[i]


def build_evaluator(session: PreviewSession, emotion: str, frames: int) -> KeepingEvaluator:
    """Prepare the sample frames of a face.

    Args:
        session: of the clip.
        emotion: of the edit.
        frames: that are rendered.

    Returns:
        The evaluator.
    """
    models, face = load_models(), session.face
    director = select_director(EditRequest(session.path, emotion=emotion), models.head)
    source = None if face.readings is None else face.readings[0]
    target = Target(emotion, source_probabilities=source, source_readings=face.readings)
    patches = [attach_landmarks(FacePatch.cut(s.t, s.image, s.landmarks), s.landmarks) for s in face.samples]
    samples = select_samples(patches, face.motion, models.head.names, frames)
    return KeepingEvaluator(samples, face.motion, director, target, face.warp, models.head, load_adaptation_networks())


def measure(evaluate: KeepingEvaluator, adaptation: Adaptation, seconds: float, renders: int) -> dict[str, float]:
    """Measure one edit on the sample frames.

    Args:
        evaluate: of the face.
        adaptation: strength and offsets of the edit.
        seconds: of its search.
        renders: of its search.

    Returns:
        Value of each of `COLUMNS`.
    """
    with evaluate.workers():
        measures = evaluate(adaptation.strength, np.zeros(len(evaluate.head.names)) + adaptation.offsets)
    emotion = EMOTIONS.index(evaluate.target.emotion or "neutral")
    crops = np.stack([expression_crop(evaluate.images[i], s.landmarks) for i, s in enumerate(evaluate.samples)])
    values = (
        seconds,
        renders,
        softmax(measures.logits)[..., emotion].mean(),
        held_out_probabilities(crops)[:, emotion].mean(),
        1 - measures.cost("identity"),
        measures.cost("raw shift"),
        1 - measures.cost("scc"),
        measures.cost("lips") ** 0.5,
    )
    return {name: float(value) for name, value in zip(COLUMNS, values, strict=True)}


def measure_face(evaluate: KeepingEvaluator, ablations: Sequence[str]) -> Iterator[tuple[str, dict[str, float]]]:
    """Measure the plain preset and the adaptations of one face. Yields the name of each edit and its values."""
    goal = adaptation_goal(evaluate.target)
    max_loss = 1 - min_identity_cosine(goal.emotion_weights)
    with evaluate.workers():
        strength, _ = plain_edit(evaluate, max_loss)
    yield "plain preset", measure(evaluate, Adaptation(strength), 0.0, 0)
    for name in ablations:
        before, start = evaluate.renders, time.perf_counter()
        adaptation = adapt(evaluate, goal, max_loss, ABLATIONS[name])
        seconds = time.perf_counter() - start
        yield name, measure(evaluate, adaptation, seconds, evaluate.renders - before)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path, metavar="CLIP", help="default: the bundled examples")
    parser.add_argument("--emotions", nargs="+", choices=EMOTIONS[1:], default=["sad", "fear"], metavar="NAME")
    parser.add_argument("--ablations", nargs="+", choices=ABLATIONS, default=list(ABLATIONS), metavar="NAME")
    parser.add_argument("--frames", type=int, default=6, help="sample frames of a clip")
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    limit_threads()
    editor = Editor()
    results: dict[str, list[dict[str, float]]] = {}
    for clip in arguments.clips or EXAMPLES:
        session = PreviewSession.open(clip, editor.faces(clip)[0], load_models(), Limits())
        for emotion in arguments.emotions:
            for name, values in measure_face(build_evaluator(session, emotion, arguments.frames), arguments.ablations):
                results.setdefault(name, []).append(values)
                print(f"{clip.name} {emotion}, {name}: {format_values(values)}", flush=True)
    means = {name: {c: float(np.mean([v[c] for v in values])) for c in COLUMNS} for name, values in results.items()}
    print(f"\nmeans of {len(results['plain preset'])} edits")
    rows = {f"{name}: {column}": value for name, values in means.items() for column, value in values.items()}
    print_rows("adapt", rows, arguments.json)


def format_values(values: dict[str, float]) -> str:
    """Values of one edit in one line."""
    return ", ".join(f"{name} {value:.3f}" if value < 100 else f"{name} {value:.0f}" for name, value in values.items())


if __name__ == "__main__":
    main()
