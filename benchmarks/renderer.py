"""Measure whether NED's renderer learns a face, on held-out frames of a synthetic head and of videos.

Every person is trained by `training.train_renderer --preset cpu` for some minutes, or taken from --folder where an
earlier run has left it. The last frames are held out: a fifth of a video, a tenth of the synthetic head's. The renderer
generates them one after the other, starting without previous frames. It is compared with the mean frame of the training
part and with the same network untrained: PSNR inside the mask and in the mouth crop, and the distance of the feature
maps of the bundled MobileFaceNet (0: equal). Last, the cost of one frame at NED's size. --pretraining also trains one
renderer on several synthetic people and compares few steps from there with as many from random weights, on one more
person.

    python -m benchmarks.renderer [VIDEO ...] [--steps 400] [--pretraining] [--folder DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from asccl.nets.ned_renderer import PREVIOUS_FRAMES, NedGenerator
from asccl.zoo import load_renderer
from benchmarks.edit import SIDE, forward
from benchmarks.report import print_rows
from training import train_renderer
from training.engine.settings import load_preset
from training.preprocess import run
from training.renderer_eval import FeatureDistance, first_window, mean_frame, measure_faces, render_window, save_grid
from training.renderer_settings import RendererSettings
from training.train_renderer import load_portraits

SYNTHETIC_HEAD = "rendered head"
# Every emotion occurs twice, so that a held-out emotion has been trained.
SYNTHETIC_SETTINGS = {"synthetic_frames": 560, "held_out_share": 0.1}
PRETRAINING_PEOPLE = 6
FINE_TUNING_STEPS = 100


def train(name: str, video: Path | None, folder: Path, steps: int, **overrides: object) -> RendererSettings:
    """Prepare a video and train a renderer on it, unless the folder has the result already.

    Args:
        name: name of the person, of the files in the folder.
        video: the video; None for a synthetic head.
        folder: where prepared clips, checkpoints and weights are kept.
        steps: training steps.
        **overrides: settings that differ from the preset `cpu`.

    Returns:
        The settings of the training; `weights` exists.
    """
    data = folder / f"{name}-prepared"
    table = load_preset(RendererSettings, "cpu") | ({} if video else SYNTHETIC_SETTINGS)
    table |= {"output": folder / name, "weights": folder / f"{name}.safetensors", **overrides}
    settings = replace(RendererSettings(**table), steps=steps, data=data if video else None, evaluate_every=steps)
    if video is not None and not data.exists():
        run.main(run.PrepareSettings((video,), data, size=settings.size, workers=0))
    if not settings.weights.exists():
        train_renderer.main(settings)
    return settings


def measure(settings: RendererSettings) -> dict[str, float]:
    """Measure the trained and the untrained renderer and the mean frame on held-out frames of the longest clip."""
    train_portraits, held_out = load_portraits(settings)
    number = max(range(len(held_out)), key=lambda n: len(held_out[n]))
    portrait, device = held_out[number], torch.device("cpu")
    batch = first_window(portrait, len(portrait), device)
    torch.manual_seed(settings.seed)
    untrained = NedGenerator(settings.sizes()).eval()
    trained, _ = load_renderer(settings.weights)
    mean = mean_frame([train_portraits[number]]).expand(len(portrait), -1, -1, -1)
    mask = batch.conditions[0, PREVIOUS_FRAMES:, -1:]
    faces = {
        "trained": render_window(trained, batch),
        "mean frame": mean * mask - (1 - mask),
        "untrained": render_window(untrained, batch),
    }
    distance = FeatureDistance(device)
    rows: dict[str, float] = {"held-out frames": float(len(portrait))}
    for label, face in faces.items():
        rows |= {f"{label}: {measure}": value for measure, value in measure_faces(face, batch, distance).items()}
    save_grid(settings.output / "samples" / "held-out.png", faces["trained"], batch)
    return rows


def compare_pretraining(folder: Path, steps: int) -> dict[str, float]:
    """Measure a few training steps on a new synthetic person, starting from a pretrained renderer or from scratch."""
    pretrained = train(
        "several", None, folder, steps, synthetic_speakers=PRETRAINING_PEOPLE, seed=1, synthetic_frames=280
    )
    starts = {"pretrained": {"start_from": str(pretrained.weights)}, "from scratch": {}}
    rows = {
        "people in pretraining": float(PRETRAINING_PEOPLE),
        "steps of pretraining": float(steps),
        "steps": float(FINE_TUNING_STEPS),
    }
    for label, overrides in starts.items():
        measures = measure(train(label.replace(" ", "-"), None, folder, FINE_TUNING_STEPS, **overrides))
        trained = {key.removeprefix("trained: "): v for key, v in measures.items() if key.startswith("trained")}
        rows |= {f"{label}: {key}": value for key, value in trained.items()}
    return rows


def cost() -> dict[str, float]:
    """Measure the median time of one frame through a generator of NED's size."""
    passes = forward()
    clock, cpu = (1e3 * median(getattr(p, kind) for p in passes) for kind in ("clock", "cpu"))
    parameters = sum(p.numel() for p in NedGenerator().parameters())
    size = {"NED's size, million parameters": parameters / 1e6}
    return {**size, f"a frame of {SIDE}, ms": clock, "the same, CPU ms": cpu}


def main() -> None:
    """Train and measure the synthetic head and every video."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path, metavar="VIDEO", help="a video of one talking face")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--pretraining", action="store_true", help="also compare with a pretrained renderer")
    parser.add_argument("--folder", type=Path, help="keep trained renderers here and reuse those that exist")
    parser.add_argument("--json", type=Path, help="also append the JSON lines to this file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        for name, video in [(SYNTHETIC_HEAD, None), *((video.stem, video) for video in arguments.videos)]:
            print(f"-- {name}", flush=True)
            rows = measure(train(name.replace(" ", "-"), video, folder, arguments.steps))
            print_rows("renderer", {"of": name, **rows}, arguments.json)
        if arguments.pretraining:
            print_rows("renderer-head-start", compare_pretraining(folder, arguments.steps), arguments.json)
    print_rows("renderer-cost", cost(), arguments.json)


if __name__ == "__main__":
    main()
