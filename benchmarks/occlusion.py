"""Measure how what lies before a face is found and kept: glasses, hands and cups, the background, turned frames.

Faces are synthetic speakers and the bundled astronaut; `asccl.synthetic.props` draws glasses and objects on them, so
every mask is known. "Bend" is the largest displacement in pixels of what must not move; "before" is the same renderer
without holding anything. `--clips` adds the videos of a folder, whose faces must wear no glasses and be uncovered.

    python -m benchmarks occlusion
    python -m benchmarks.occlusion --clips FOLDER
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from asccl.directors.base import Target
from asccl.directors.preset import PresetDirector
from asccl.face.landmarker import FaceLandmarker
from asccl.face.tracker import FaceMeshTracker
from asccl.morphable.reconstruct import OBSERVED_FRAMES
from asccl.renderers.warp.coverage import Coverage
from asccl.renderers.warp.field import face_size
from asccl.renderers.warp.glasses import GlassesModel
from asccl.renderers.warp.occluder import OccluderModel
from asccl.synthetic.props import GLASSES, draw_glasses, draw_prop
from asccl.video import Reader
from benchmarks.occlusion_faces import (
    HEAD,
    LabelledFace,
    RecordingRenderer,
    clip_faces,
    fit_frame,
    head_before_grid,
    make_renderer,
    synthetic_faces,
)
from benchmarks.report import print_rows

EXAMPLE = Path(__file__).parent.parent / "examples" / "astronaut.mp4"
SPEAKERS = 60  # synthetic
DRAWN_SPEAKERS = 15  # of them get every kind of glasses
MAX_UNCHANGED_DIFFERENCE = 16  # grey levels; a pixel that differs more counts as changed
YAWS = (0, 20, 35, 45)  # degrees
EDIT_EMOTIONS = ("surprised", "angry", "happy")
PROP_COLOURS = {"hand": (205, 160, 135), "microphone": (30, 30, 32), "cup": (235, 235, 230), "spoon": (190, 190, 195)}


def wears_glasses(faces: list[LabelledFace]) -> bool:
    """Whether glasses are recognized in some frames of one person."""
    model = GlassesModel()
    for image, landmarks in faces:
        model.observe(image, landmarks)
    return model.detected


def measure_bend(renderer: RecordingRenderer, face: LabelledFace, mask: np.ndarray) -> dict[str, float]:
    """The largest displacement in a mask over `EDIT_EMOTIONS`, before and after, pixels.

    Args:
        renderer: of the person.
        face: the frame to edit.
        mask: what must not move, (H, W) bool.
    """
    motion, bends = fit_frame(face[1]), {}
    for name, holds in (("before", False), ("after", True)):
        renderer.switch(holds)
        values = []
        for emotion in EDIT_EMOTIONS:
            plan = renderer.plan(motion, PresetDirector(HEAD)(motion, Target(emotion)))
            renderer.render(plan, face[0], face[1], 0)
            values.append(renderer.bend(mask))
        bends[name] = max(values)
    return bends


def glasses_rows(synthetic: list[LabelledFace], astronaut: list[LabelledFace]) -> list[dict[str, object]]:
    """Recognition and bend of every kind of glasses, and the rate of false alarms on bare faces."""
    false_alarms = [wears_glasses([face]) for face in synthetic]
    rows: list[dict[str, object]] = [
        {"glasses": "none", "faces": len(synthetic), "recognized": f"{np.mean(false_alarms):.1%}"}
    ]
    for name, style in GLASSES.items():
        recognized = [wears_glasses([(draw_glasses(*face, style)[0], face[1])]) for face in synthetic[:DRAWN_SPEAKERS]]
        image, landmarks = astronaut[0]
        worn, mask = draw_glasses(image, landmarks, style)
        bend = measure_bend(make_renderer([(worn, landmarks)]), (worn, landmarks), mask > 0.9)
        rows.append(
            {
                "glasses": name,
                "faces": len(recognized),
                "recognized": f"{np.mean(recognized):.1%}",
                "bend before, px": round(bend["before"], 2),
                "bend after, px": round(bend["after"], 2),
            }
        )
    return rows


def prop_rows(astronaut: list[LabelledFace], landmarker: FaceLandmarker) -> list[dict[str, object]]:
    """Clips in which an object comes before the mouth and goes: which of its pixels change."""
    rows = []
    for kind, colour in PROP_COLOURS.items():
        faces, masks = [], []
        for k, (image, landmarks) in enumerate(astronaut):
            size, mouth = face_size(landmarks), landmarks[14, :2]
            away = 1 - np.sin(np.pi * np.clip((k / (len(astronaut) - 1) - 0.25) / 0.5, 0, 1))
            covered, mask = draw_prop(
                image, kind, (float(mouth[0]), float(mouth[1] + 3 * away * size)), 1.7 * size, colour, -12
            )
            points = landmarker.detect(covered, landmarks)
            faces.append((covered, landmarks if points is None else points))
            masks.append(mask)
        rows.append({"object": kind, **measure_clip(faces, masks)})
    nothing = [np.zeros(astronaut[0][0].shape[:2])] * len(astronaut)
    return [*rows, {"object": "none", **measure_clip(astronaut, nothing)}]


def measure_clip(faces: list[LabelledFace], masks: list[np.ndarray]) -> dict[str, object]:
    """Render a clip as surprised; count the pixels of the object that change, and the frames that count as covered.

    Args:
        faces: of all frames.
        masks: coverage (H, W) of the object in each.
    """
    renderer, motions = make_renderer(faces), [fit_frame(landmarks) for _, landmarks in faces]
    fields = ("coefficients", "scale", "rotation", "translation", "weight")
    motion = replace(motions[0], **{name: np.concatenate([getattr(m, name) for m in motions]) for name in fields})
    plan = renderer.plan(motion, PresetDirector(HEAD)(motion, Target("surprised")))
    row: dict[str, object] = {"frames": len(faces)}
    for name, holds in (("before", False), ("after", True)):
        renderer.switch(holds)
        session, changed, total = renderer.start(plan), 0, 0
        for t, ((image, landmarks), mask) in enumerate(zip(faces, masks, strict=True)):
            edited = session.render(image, landmarks, t)
            inside = mask > 0.9
            changed += int(
                (np.abs(np.asarray(edited).astype(int) - image).max(2)[inside] > MAX_UNCHANGED_DIFFERENCE).sum()
            )
            total += int(inside.sum())
        row[f"changed {name}"] = f"{changed / max(total, 1):.1%}"
    row["covered frames"] = session.report()["covered_frames"]
    return row


def background_rows(landmarker: FaceLandmarker) -> list[dict[str, object]]:
    """Bend of a grid behind a synthetic head at several yaws."""
    rows: list[dict[str, object]] = []
    for yaw in YAWS:
        image, outside = head_before_grid(yaw)
        landmarks = landmarker.detect(image)
        if landmarks is None:
            continue
        bend = measure_bend(make_renderer([(image, landmarks)]), (image, landmarks), outside)
        rows.append(
            {
                "yaw, degrees": yaw,
                "bend of the background before, px": round(bend["before"], 2),
                "after, px": round(bend["after"], 2),
            }
        )
    return rows


def clear_rows() -> list[dict[str, object]]:
    """False alarms on the bundled clips, tracked at their full frame rate: nothing lies before these faces."""
    rows: list[dict[str, object]] = []
    for path in (EXAMPLE, EXAMPLE.with_name("rendered.mp4")):
        model, coverage = OccluderModel(HEAD), Coverage()
        with FaceMeshTracker() as tracker:
            tracked = [(frame.image, tracker.track(frame.pixels).landmarks) for frame in Reader(path)]
        faces = [(image, landmarks) for image, landmarks in tracked if landmarks is not None]
        for image, landmarks in faces[:: max(1, len(faces) // OBSERVED_FRAMES)]:
            model.observe(image, landmarks)
        detector, covered = model.detector(), 0
        for t, (image, landmarks) in enumerate(faces):
            cells = detector.covered_cells(image, landmarks, coverage.was_covered(t))
            covered += coverage.update(cells, t) is not None
        rows.append({"clear clip": path.stem, "frames": len(faces), "covered frames": covered})
    return rows


def clip_rows(folder: Path, landmarker: FaceLandmarker) -> list[dict[str, object]]:
    """False alarms on own clips of bare, uncovered faces."""
    rows = []
    for path in sorted(folder.rglob("*.mp4")):
        faces = clip_faces(landmarker, path)
        result = measure_clip(faces, [np.zeros(faces[0][0].shape[:2])] * len(faces))
        covered = result["covered frames"]
        rows.append(
            {"clip": path.stem, "frames": len(faces), "covered frames": covered, "glasses": wears_glasses(faces)}
        )
    return rows


def label_rows(rows: list[dict[str, object]]) -> dict[str, float | str]:
    """Flatten rows, whose first value names them, to one value a label."""
    labelled: dict[str, float | str] = {}
    for row in rows:
        (kind, name), *values = row.items()
        labelled |= {
            f"{kind} {name}: {key}": float(value) if isinstance(value, int | float) else str(value)
            for key, value in values
        }
    return labelled


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="folder of own videos of bare, uncovered faces")
    parser.add_argument(
        "--tables", nargs="+", choices=("background", "clear", "objects", "glasses"), help="default: all"
    )
    parser.add_argument("--json", type=Path, help="append JSON lines to this file")
    arguments = parser.parse_args()
    landmarker = FaceLandmarker()
    astronaut = clip_faces(landmarker, EXAMPLE)
    tables = {
        "background": lambda: background_rows(landmarker),
        "clear": clear_rows,
        "objects": lambda: prop_rows(astronaut, landmarker),
        "glasses": lambda: glasses_rows(list(synthetic_faces(landmarker, SPEAKERS)), astronaut),
    }
    if arguments.clips:
        tables["clips"] = lambda: clip_rows(arguments.clips, landmarker)
    for name in arguments.tables or tables:
        print_rows(f"occlusion, {name}", label_rows(tables[name]()), arguments.json)
    landmarker.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
