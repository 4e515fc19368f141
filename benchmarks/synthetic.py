"""Measure the cost of synthetic data and whether networks for real faces accept the synthetic people.

| part | measurement |
|---|---|
| cost | CPU and wall time of a pair on one thread; each person is created for eight pairs |
| identity | cosine of ArcFace embeddings of one person with two emotions, and of two people |
| tracking | in how many images FaceMesh detects the face, and its distance to the true landmarks |
| emotion | how often the expression network names the sampled emotion (chance: 0.14) |
| words | how much the lip opening differs between the two images of a pair |

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
from asccl.synthetic.datasets import FRAME_SIDE, SyntheticPair, SyntheticPairs, SyntheticSequences, render_frame
from asccl.synthetic.degradation import CameraDegradation
from asccl.synthetic.speech import lip_opening
from asccl.zoo import load_embedder, load_expression_net
from benchmarks.report import print_rows

PAIRS_PER_PERSON = 8
TIMED_PAIRS = 64
TIMED_SEQUENCES, SEQUENCE_FRAMES = 30, 200
SHEET_PAIRS, SHEET_COLUMNS, SHEET_BORDER = 20, 4, 2  # border in pixels


def measure_pair_cost(size: int) -> dict[str, float]:
    """Measure the time of a pair of images of `size` pixels."""
    pairs = SyntheticPairs(seed=1, size=size, count=PAIRS_PER_PERSON + TIMED_PAIRS)
    pairs[0]
    cpu, wall = time.process_time(), time.perf_counter()
    for index in range(PAIRS_PER_PERSON, len(pairs)):
        pairs[index]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {f"pair at {size}, CPU ms": 1e3 * cpu / TIMED_PAIRS, f"pair at {size}, wall ms": 1e3 * wall / TIMED_PAIRS}


def measure_sequence_cost() -> dict[str, float]:
    """Measure the time of a coefficient sequence."""
    sequences = SyntheticSequences(seed=1, count=TIMED_SEQUENCES, frames=SEQUENCE_FRAMES)
    start = time.process_time()
    for index in range(TIMED_SEQUENCES):
        sequences[index]
    cpu = time.process_time() - start
    return {f"sequence of {SEQUENCE_FRAMES} frames, CPU ms": 1e3 * cpu / TIMED_SEQUENCES}


def measure_identity(pairs: list[SyntheticPair]) -> dict[str, float]:
    """Compare the embeddings of pairs of different people."""
    net = load_embedder()
    cosine = net.embed(np.stack([p.source for p in pairs])) @ net.embed(np.stack([p.target for p in pairs])).T
    same, other = np.diag(cosine), cosine[~np.eye(len(pairs), dtype=bool)]
    return {
        "cosine, one person with two emotions": float(same.mean()),
        "cosine, one person with two emotions, deviation": float(same.std()),
        "cosine, two people": float(other.mean()),
        "cosine, two people, deviation": float(other.std()),
        "share of people recognized among all": float((cosine.argmax(1) == np.arange(len(pairs))).mean()),
    }


def measure_tracking(dataset: SyntheticPairs, pairs: list[SyntheticPair]) -> dict[str, float]:
    """Detect landmarks and emotions in degraded whole frames."""
    errors, emotions_recognized = [], []
    expression_net = load_expression_net()
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True) as net:
        for pair in pairs:
            rng = np.random.default_rng((2, pair.person))
            camera = Camera.sample(rng, FRAME_SIDE)
            person = dataset.person(pair.person)
            image, landmarks = render_frame(person, pair.target_coefficients, camera, dataset.head)
            image = CameraDegradation.sample(rng)(image, rng)
            probabilities = expression_net.probabilities(expression_crop(image, landmarks)[None])[0]
            emotions_recognized.append(probabilities.argmax() == pair.target_emotion)
            faces = net.process(image).multi_face_landmarks
            if faces:
                detected = np.array([(p.x, p.y) for p in faces[0].landmark]) * FRAME_SIDE - 0.5
                errors.append(np.linalg.norm(detected - landmarks, axis=1).mean() / mesh.eye_distance(landmarks))
    return {
        "images": float(len(pairs)),
        "images in which FaceMesh detects the face": float(len(errors)),
        "median error of FaceMesh, % of the eye distance": 100 * float(np.median(errors)),
        "share of emotions named by the expression network": float(np.mean(emotions_recognized)),
    }


def measure_words(dataset: SyntheticPairs, pairs: list[SyntheticPair]) -> dict[str, float]:
    """Compare the lip opening of both images of each pair."""
    source = lip_opening(np.stack([pair.source_coefficients for pair in pairs]), dataset.head)
    target = lip_opening(np.stack([pair.target_coefficients for pair in pairs]), dataset.head)
    return {
        "lip opening, mean cm": float(source.mean()),
        "lip opening, difference in a pair, mean cm": float(np.abs(source - target).mean()),
        "lip opening, correlation in a pair": float(np.corrcoef(source, target)[0, 1]),
    }


def write_sheet(pairs: list[SyntheticPair], path: Path) -> None:
    """Write a contact sheet of pairs as a JPEG."""
    cells = [np.hstack([pair.source, pair.target]) for pair in pairs]
    border = ((SHEET_BORDER, SHEET_BORDER), (SHEET_BORDER, SHEET_BORDER), (0, 0))
    cells = [np.pad(cell, border, constant_values=255) for cell in cells]
    starts = range(0, len(cells) // SHEET_COLUMNS * SHEET_COLUMNS, SHEET_COLUMNS)
    sheet = np.vstack([np.hstack(cells[start : start + SHEET_COLUMNS]) for start in starts])
    path.write_bytes(cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 84])[1].tobytes())


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=60, help="number of people; default: %(default)s")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet to this file as well")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file as well")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    dataset = SyntheticPairs(seed=11, count=PAIRS_PER_PERSON * arguments.people)
    pairs = [dataset[PAIRS_PER_PERSON * number + 1] for number in range(arguments.people)]
    rows = {
        **measure_pair_cost(112),
        **measure_pair_cost(224),
        **measure_sequence_cost(),
        **measure_identity(pairs),
        **measure_tracking(dataset, pairs),
        **measure_words(dataset, pairs),
    }
    if arguments.sheet:
        write_sheet(pairs[:SHEET_PAIRS], arguments.sheet)
    print_rows("synthetic", rows, arguments.json)


if __name__ == "__main__":
    main()
