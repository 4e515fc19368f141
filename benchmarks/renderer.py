"""Does NED's renderer learn a face? Frames that it was not taught: a made-up head, and videos that are handed in.

Each is taught by `training.train_renderer --preset cpu` for some minutes, or taken as it was left in --folder. The last
frames are held out: a fifth of a video, a tenth of the made-up head's. What it draws of them, one after the other out
of nothing, stands against the mean frame of the taught ones and against the same network untaught: PSNR inside the mask
and in the mouth's square, and the distance of the faces' feature maps in the bundled MobileFaceNet (0 is equal).
Last, what one frame costs at NED's size. --head-start also teaches some made-up people at once, and then compares few
steps that begin there with as many from nothing, on one more person.

    python -m benchmarks.renderer [VIDEO ...] [--steps 400] [--head-start] [--folder DIR] [--json FILE]
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from asccl.nets.ned_renderer import PREVIOUS_FRAMES, Generator
from asccl.zoo import load_renderer
from benchmarks.edit import SIDE, forward
from benchmarks.report import print_rows
from training import train_renderer
from training.engine.settings import load_preset
from training.preprocess import run
from training.renderer_eval import FeatureDistance, first_window, mean_frame, measure_faces, render_window, save_grid
from training.train_renderer import RendererSettings, load_portraits

MADE_UP = "rendered head"
TWICE = {
    "synthetic_frames": 560,
    "held_out_share": 0.1,
}  # every emotion shows twice, so that one that is held out has been taught


SEVERAL, FEW = 6, 100  # people taught at once, and steps that one more of them gets


def taught(name: str, video: Path | None, folder: Path, steps: int, **other: object) -> RendererSettings:
    """Prepares the video, trains where that was not done, and says with which settings. other: what differs."""
    data = folder / f"{name}-prepared"
    table = load_preset(RendererSettings, "cpu") | ({} if video else TWICE)
    table |= {"output": folder / name, "weights": folder / f"{name}.safetensors", **other}
    settings = replace(RendererSettings(**table), steps=steps, data=data if video else None, evaluate_every=steps)
    if video is not None and not data.exists():
        run.main(run.PrepareSettings((video,), data, size=settings.size, workers=0))
    if not settings.weights.exists():
        train_renderer.main(settings)
    return settings


def compare(settings: RendererSettings) -> dict[str, float]:
    """Held-out frames of the longest portrait by the three."""
    train, others = load_portraits(settings)
    number = max(range(len(others)), key=lambda n: len(others[n]))
    one, device = others[number], torch.device("cpu")
    batch = first_window(one, len(one), device)
    torch.manual_seed(settings.seed)
    untaught = Generator(settings.sizes()).eval()
    net, _ = load_renderer(settings.weights)
    mean = mean_frame([train[number]]).expand(len(one), -1, -1, -1)
    mask = batch.conditions[0, PREVIOUS_FRAMES:, -1:]
    faces = {
        "taught": render_window(net, batch),
        "mean frame": mean * mask - (1 - mask),
        "untaught": render_window(untaught, batch),
    }
    distance = FeatureDistance(device)
    rows: dict[str, float] = {"held-out frames": float(len(one))}
    for way, face in faces.items():
        rows |= {f"{way}: {measured}": value for measured, value in measure_faces(face, batch, distance).items()}
    save_grid(settings.output / "samples" / "held-out.png", faces["taught"], batch)
    return rows


def head_start(folder: Path, steps: int) -> dict[str, float]:
    """Held-out frames of one more made-up person after a few steps, begun from several people or from nothing."""
    several = taught("several", None, folder, steps, synthetic_speakers=SEVERAL, seed=1, synthetic_frames=280)
    begun = {"begun from several": {"start_from": str(several.weights)}, "from nothing": {}}
    rows = {"people taught before": float(SEVERAL), "steps before": float(steps), "steps": float(FEW)}
    for way, start in begun.items():
        found = compare(taught(way.replace(" ", "-"), None, folder, FEW, **start))
        rows |= {f"{way}: {name.removeprefix('taught: ')}": v for name, v in found.items() if name.startswith("taught")}
    return rows


def cost() -> dict[str, float]:
    """One frame through a generator of NED's size, the median of some."""
    spent = forward()
    clock, cpu = (1e3 * median(getattr(s, kind) for s in spent) for kind in ("clock", "cpu"))
    parameters = sum(p.numel() for p in Generator().parameters())
    return {"NED's, million parameters": parameters / 1e6, f"a frame of {SIDE}, ms": clock, "the same, CPU ms": cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path, metavar="VIDEO", help="of one talking face each")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--head-start", action="store_true", help="compare a start from several people, too")
    parser.add_argument("--folder", type=Path, help="keeps what was taught, and takes what is there")
    parser.add_argument("--json", type=Path, help="append the JSON lines to this file, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        for name, video in [(MADE_UP, None), *((video.stem, video) for video in arguments.videos)]:
            print(f"-- {name}", flush=True)
            rows = compare(taught(name.replace(" ", "-"), video, folder, arguments.steps))
            print_rows("renderer", {"of": name, **rows}, arguments.json)
        if arguments.head_start:
            print_rows("renderer-head-start", head_start(folder, arguments.steps), arguments.json)
    print_rows("renderer-cost", cost(), arguments.json)


if __name__ == "__main__":
    main()
