"""What a synthetic pair costs, and whether the networks take made-up people for people.

Cost: CPU and wall time of a pair with everything on it, on one thread, each person being made for eight pairs.
Likeness: cosine of ArcFace embeddings of one person with two emotions, and of two people. FaceMesh: in how many
pictures it finds the face, and how far from the true landmarks. Emotions: how often the expression network names the
one that was drawn (chance: 0.14). Words: how far the lips' opening differs between the two emotions of a pair.

    python -m benchmarks.synthetic [--people 60] [--sheet docs/synthetic.jpg] [--json FILE]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import mediapipe
import numpy as np

from asccl.face import mesh
from asccl.face.crop import expression_crop
from asccl.synthetic.camera import Camera
from asccl.synthetic.datasets import SyntheticPair, SyntheticPairs, SyntheticSequences, render_frame
from asccl.synthetic.degradation import CameraDegradation
from asccl.synthetic.speech import lip_opening
from asccl.zoo import load_embedder, load_expression_net
from benchmarks.report import print_rows

TIMED = 64  # pairs
FRAME = 256  # pixels


def cost(size: int) -> dict[str, float]:
    """ms per pair."""
    pairs = SyntheticPairs(seed=1, size=size, count=8 + TIMED)
    pairs[0]
    cpu, wall = time.process_time(), time.perf_counter()
    for i in range(8, 8 + TIMED):
        pairs[i]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {f"pair at {size}, CPU ms": 1e3 * cpu / TIMED, f"pair at {size}, wall ms": 1e3 * wall / TIMED}


def sequence_cost() -> float:
    """ms per sequence of 200 frames."""
    data = SyntheticSequences(seed=1, count=30, frames=200)
    start = time.process_time()
    for i in range(30):
        data[i]
    return 1e3 * (time.process_time() - start) / 30


def likeness(pairs: list[SyntheticPair]) -> dict[str, float]:
    net = load_embedder()
    cosine = net.embed(np.stack([p.source for p in pairs])) @ net.embed(np.stack([p.target for p in pairs])).T
    own, other = np.diag(cosine), cosine[~np.eye(len(pairs), dtype=bool)]
    return {
        "cosine, one person with two emotions": float(own.mean()), "its deviation": float(own.std()),
        "cosine, two people": float(other.mean()), "deviation of that": float(other.std()),
        "share of people found again among all": float((cosine.argmax(1) == np.arange(len(pairs))).mean()),
    }  # fmt: skip


def tracking(data: SyntheticPairs, pairs: list[SyntheticPair]) -> dict[str, float]:
    """On whole frames with the faults of a camera."""
    errors, named = [], []
    expressions = load_expression_net()
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True) as net:
        for pair in pairs:
            rng = np.random.default_rng((2, pair.person))
            camera = Camera.sample(rng, FRAME)
            image, true = render_frame(data.person(pair.person), pair.target_coefficients, camera, data.head)
            image = CameraDegradation.sample(rng)(image, rng)
            named.append(
                expressions.probabilities(expression_crop(image, true)[None])[0].argmax() == pair.target_emotion
            )
            found = net.process(image).multi_face_landmarks
            if found:
                seen = np.array([(p.x, p.y) for p in found[0].landmark]) * FRAME - 0.5
                errors.append(np.linalg.norm(seen - true, axis=1).mean() / mesh.eye_distance(true))
    return {
        "pictures": float(len(pairs)), "pictures in which FaceMesh finds the face": float(len(errors)),
        "its median error, % of the eye distance": 100 * float(np.median(errors)),
        "emotions named by the expression network": float(np.mean(named)),
    }  # fmt: skip


def words(data: SyntheticPairs, pairs: list[SyntheticPair]) -> dict[str, float]:
    source, target = (lip_opening(np.stack([getattr(p, name) for p in pairs]), data.head)
                      for name in ("source_coefficients", "target_coefficients"))  # fmt: skip
    return {
        "lip opening, mean cm": float(source.mean()),
        "its difference in a pair, mean cm": float(np.abs(source - target).mean()),
        "correlation of the two openings": float(np.corrcoef(source, target)[0, 1]),
    }  # fmt: skip


def sheet(pairs: list[SyntheticPair], path: Path) -> None:
    """Pairs side by side, four to a row."""
    cells = [np.hstack([p.source, p.target]) for p in pairs]
    framed = [cv2.copyMakeBorder(cell, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255)) for cell in cells]
    rows = [np.hstack(framed[i : i + 4]) for i in range(0, len(framed) // 4 * 4, 4)]
    path.write_bytes(cv2.imencode(".jpg", np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 84])[1].tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--sheet", type=Path, help="write a contact sheet here, too")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    data = SyntheticPairs(seed=11, count=8 * arguments.people)
    pairs = [data[8 * i + 1] for i in range(arguments.people)]
    rows = {**cost(112), **cost(224), "sequence of 200 frames, CPU ms": sequence_cost(), **likeness(pairs),
            **tracking(data, pairs), **words(data, pairs)}  # fmt: skip
    if arguments.sheet:
        sheet(pairs[:20], arguments.sheet)
    print_rows("synthetic", rows, arguments.json)


if __name__ == "__main__":
    main()
