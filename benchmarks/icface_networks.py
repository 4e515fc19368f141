"""Compare files of ICface's networks on the test people of the ablation, whose truth is known.

    python -m benchmarks.icface_networks FILE [FILE ...] [--seeds 8] [--people 5] [--frames 10] [--reader FILE]
                                       [--json FILE]

A file is measured as the renderer uses it, with one sampling of the frame and the mean of a face and its mirror image;
and, as "two samplings", as a training evaluates it: neutralized, then animated.

Each seed has people of its own, those that `training.ablate_icface` scores on. The first file is compared with every
other one and with a copy of the source, person by person: mean difference, 95 % interval, p of a paired permutation
test, not corrected. Controls are read by the network of --reader, which the ablation trains; without one that column is
left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from asccl.editing.icface_selection import BUNDLED
from asccl.face.facemesh import FaceMesh
from asccl.nets.icface import Icface
from asccl.nets.icface_settings import CONTROLS
from asccl.zoo import load_icface
from benchmarks.report import print_rows
from training.ablation.icface import load_reader
from training.ablation.icface_report import METRICS
from training.ablation.inference import paired_effect
from training.ablation.report import Metric, format_effect_interval
from training.datasets import HELD_OUT_SEED_OFFSET
from training.datasets.controlled_clips import to_tensor
from training.datasets.driven_clips import DRIVEN_SETTINGS, DrivenClip
from training.datasets.synthetic_controlled import synthetic_driven_clips
from training.icface_eval import ReadControls, drive, measure_clip, reader, to_images

COPY = "copy of the source"
Metrics = list[dict[str, float]]  # of every person
MetricsTable = dict[str, dict[str, Metrics]]  # by setting and row


def iterate_clips(seeds: int, people: int, frames: int, size: int, pose_limit: float) -> Iterator[DrivenClip]:
    """Yield the test clips of the ablation.

    Args:
        seeds: number of seeds.
        people: of each seed.
        frames: of each clip.
        size: side of a frame, pixels.
        pose_limit: rotation whose control is 1, radians.
    """
    for seed in range(seeds):
        yield from synthetic_driven_clips(seed + 2 * HELD_OUT_SEED_OFFSET, people, frames, size, pose_limit)


@torch.inference_mode()
def drive_as_rendered(net: Icface, clip: DrivenClip) -> np.ndarray:
    """Generate the images of a clip as the renderer does: one change, averaged with that of the mirror image."""
    images = to_tensor(clip.source.images)
    controls = (torch.from_numpy(x) for x in (clip.source.controls, clip.truth.controls))
    return to_images(net.predict_symmetric_change(images, *controls).apply(images))


def drive_twice(net: Icface, clip: DrivenClip) -> np.ndarray:
    """Generate the images of a clip as a training evaluates them: neutralized, then animated."""
    return drive(net, clip.source, clip.truth.controls)[1]


def measure(files: list[str], arguments: argparse.Namespace, read_controls: ReadControls) -> MetricsTable:
    """Measure all networks on all people.

    Args:
        files: of the networks.
        arguments: of the command.
        read_controls: estimates controls.
    """
    generators: dict[str, Callable[[DrivenClip], np.ndarray]] = {COPY: lambda clip: clip.source.images}
    networks = {Path(file).stem: load_icface(file) for file in files}
    for name, net in networks.items():
        generators[name] = partial(drive_as_rendered, net)
        generators[f"{name}, two samplings"] = partial(drive_twice, net)
    table: MetricsTable = {setting: {row: [] for row in generators} for setting in DRIVEN_SETTINGS}
    face_mesh = FaceMesh()
    pose_limit = next(iter(networks.values())).settings.pose_limit
    for clip in iterate_clips(arguments.seeds, arguments.people, arguments.frames, arguments.size, pose_limit):
        for row, generate in generators.items():
            table[clip.setting][row].append(measure_clip(generate(clip), clip, read_controls, face_mesh))
    face_mesh.close()
    return table


def format_difference(ours: Metrics, theirs: Metrics, metric: Metric) -> str:
    """Format the mean difference over people, its interval and p.

    Args:
        ours: metrics of every person.
        theirs: likewise.
        metric: to compare.
    """
    differences = np.array([a[metric.key] - b[metric.key] for a, b in zip(ours, theirs, strict=True)])
    differences = differences[np.isfinite(differences)]
    if len(differences) < 2:
        return "undefined"
    effect = paired_effect(differences, comparisons=1)
    return f"{format_effect_interval(effect, metric.digits)}, p {effect.p:.3f}"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", default=[BUNDLED], help="names or files of networks")
    parser.add_argument("--seeds", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--people", type=int, default=5, help="of each seed")
    parser.add_argument("--frames", type=int, default=10, help="of each person")
    parser.add_argument("--size", type=int, default=64, help="side of an image, pixels")
    parser.add_argument("--reader", type=Path, help="network that estimates controls, of the ablation")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file as well")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    has_reader = arguments.reader is not None
    read = reader(load_reader(arguments.reader)) if has_reader else lambda images: torch.zeros(len(images), CONTROLS)
    table = measure(arguments.files, arguments, read)
    metrics = [metric for metric in METRICS if has_reader or metric.key != "attributes"]
    report: dict[str, float | str] = {"people": arguments.seeds * arguments.people}
    first = Path(arguments.files[0]).stem
    for setting, rows in table.items():
        for row, people in rows.items():
            means = (np.nanmean([person[metric.key] for person in people]) for metric in metrics)
            cells = (f"{metric.label} {value:.{metric.digits}f}" for metric, value in zip(metrics, means, strict=True))
            report[f"{setting}: {row}"] = "; ".join(cells)
        for row in (row for row in rows if row != first):
            cells = (f"{metric.label} {format_difference(rows[first], rows[row], metric)}" for metric in metrics)
            report[f"{setting}: {first} - {row}"] = "; ".join(cells)
    print_rows("icface_networks", report, arguments.json)


if __name__ == "__main__":
    main()
