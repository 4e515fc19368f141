"""Compare ways to train the metric's mapping f, by triplets of real faces.

    python -m benchmarks.metric_heads --faces DIR [--takes 48] [--steps 200] [--seeds 3] [--every 1]

DIR holds the faces that `python -m benchmarks.metric --faces DIR` keeps. The backbone is frozen, so its feature maps
are computed once for all trainings. Each variant starts from the same random mapping, except "fine-tuned", and each
seed has other synthetic speakers:

recipe       the losses and the learning rate of `training.train_metric --preset cpu`
no bias      the biases stay 0, so that f(0) = 0 and small differences have no direction in common
own cameras  the two takes of a speaker are degraded like different cameras
fine-tuned   the bundled mapping, with a tenth of the learning rate and with own cameras

The rows of a variant: share of correct triplets of all maps, mean and deviation over seeds; its gain on a random
mapping and on the bundled file, paired by clip after the mean over seeds, with the 95 % interval and the p-value of
a permutation test; corresponding and non-corresponding cosines of maps 1 and 2. The random and the bundled mapping are
also measured after their biases were set to 0. Finished mappings stay in --output.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from asccl.editing.threads import limit_threads
from asccl.metric.scc import SCCMetric
from asccl.synthetic.paired_takes import SyntheticTakes
from asccl.zoo import create_metric, load_metric
from benchmarks.metric import edited_emotions, frame_scores, mean_similarities, triplets
from benchmarks.metric_faces import Faces, FaceSequence, load_faces
from benchmarks.report import print_rows
from training.ablation.inference import paired_effect
from training.engine.settings import load_preset
from training.train_metric import CachedTakes, MetricObjective, MetricSettings

SEED = 8_000_000
FINE_TUNING = 0.1  # of the learning rate
BUNDLED = "scc-mobilefacenet"
FIXED = ("random", "bundled", "random, biases set to 0", "bundled, biases set to 0")


@dataclass(frozen=True)
class Variant:
    """How heads are trained; the defaults are the recipe."""

    bias: bool = True
    own_cameras: bool = False
    fine_tuned: bool = False


VARIANTS = {
    "recipe": Variant(),
    "no bias": Variant(bias=False),
    "own cameras": Variant(own_cameras=True),
    "no bias, own cameras": Variant(bias=False, own_cameras=True),
    "fine-tuned": Variant(own_cameras=True, fine_tuned=True),
}


class MemoizedBackbone(nn.Module):
    """A frozen backbone that keeps the feature maps of every image in half precision until `clear`."""

    def __init__(self, backbone: nn.Module):
        super().__init__()
        self.backbone, self._maps = backbone.eval(), dict[bytes, list[torch.Tensor]]()

    def clear(self) -> None:
        """Forget all images."""
        self._maps.clear()

    @torch.no_grad()
    def feature_maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(B, 3, H, W) -> four maps, without gradient."""
        keys = [image.numpy().tobytes() for image in (x * 127.5 + 127.5).round().to(torch.uint8)]
        missing = [n for n, key in enumerate(keys) if key not in self._maps]
        if missing:
            for n, *maps in zip(missing, *self.backbone.feature_maps(x[missing]), strict=True):
                self._maps[keys[n]] = [m.half() for m in maps]
        return [torch.stack(maps).float() for maps in zip(*(self._maps[key] for key in keys), strict=True)]


def with_heads(backbone: MemoizedBackbone, state: dict[str, torch.Tensor]) -> SCCMetric:
    """Return a metric with a shared backbone and the heads of a state."""
    metric = create_metric()
    metric.heads.load_state_dict(state)
    metric.backbone = backbone
    return metric


def train_heads(
    backbone: MemoizedBackbone, takes: Sequence[torch.Tensor] | CachedTakes, variant: Variant, steps: int, seed: int
) -> dict[str, torch.Tensor]:
    """Train heads and return their state.

    Args:
        backbone: of the metric.
        takes: synthetic speakers.
        variant: of the training.
        steps: of Adam.
        seed: of the random mapping, of the order of the takes and of the regions.
    """
    settings = MetricSettings(**load_preset(MetricSettings, "cpu"))
    torch.manual_seed(seed)
    start = load_metric(BUNDLED) if variant.fine_tuned else SCCMetric(backbone, create_metric().backbone.MAP_CHANNELS)
    metric = with_heads(backbone, start.heads.state_dict())
    weights = [p for name, p in metric.heads.named_parameters() if variant.bias or "bias" not in name]
    if not variant.bias:
        for head in metric.heads:
            for layer in (head[0], head[2]):
                nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(weights, settings.learning_rate * (FINE_TUNING if variant.fine_tuned else 1))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    objective, rng = MetricObjective(metric, settings), torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randperm(len(takes), generator=rng)[: settings.batch_size].tolist()
        losses = objective(torch.stack([takes[n] for n in chosen]), rng)
        optimizer.zero_grad()
        (losses["regions"] + settings.frames_weight * losses["frames"]).backward()
        optimizer.step()
        schedule.step()
    return {name: value.detach().clone() for name, value in metric.heads.state_dict().items()}


def train_all(backbone: MemoizedBackbone, takes: int, steps: int, seeds: int, output: Path) -> dict[str, list[dict]]:
    """Train the missing heads of all variants and seeds.

    Args:
        backbone: of the metrics.
        takes: speakers of a training.
        steps: of a training.
        seeds: repetitions.
        output: folder of finished heads.

    Returns:
        The states of each variant, one for each seed.
    """
    states: dict[str, list[dict]] = {name: [] for name in VARIANTS}
    output.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        for own_cameras in (False, True):
            data = SyntheticTakes(SEED + seed, count=takes, frames=8, own_cameras=own_cameras)
            cached = CachedTakes(data)
            for name, variant in VARIANTS.items():
                if variant.own_cameras != own_cameras:
                    continue
                file = output / f"{name.replace(', ', '-').replace(' ', '-')}-{takes}-{steps}-{seed}.safetensors"
                if not file.exists():
                    save_file(train_heads(backbone, cached, variant, steps, seed), file)
                    print(f"{file.name} finished", flush=True)
                states[name].append(load_file(file))
            backbone.clear()
    return states


def thin_out(faces: Faces, every: int) -> Faces:
    """Keep every n-th frame of a clip."""
    return {name: FaceSequence(face.crops[::every], face.lip_gaps[::every]) for name, face in faces.items()}


def measure_clips(
    backbone: MemoizedBackbone, metrics: Sequence[SCCMetric], clips: Sequence[Faces]
) -> tuple[np.ndarray, np.ndarray]:
    """Measure metrics that share a backbone.

    Args:
        backbone: of all metrics.
        metrics: to compare.
        clips: faces.

    Returns:
        Shares of correct triplets, (metrics, clips); cosines, (metrics, 2, 4), see `mean_similarities`.
    """
    shares, cosines = np.zeros((len(metrics), len(clips))), np.zeros((len(metrics), 2, 4))
    for column, clip in enumerate(clips):
        for row, metric in enumerate(metrics):
            source, gaps = clip["source"].disparities(metric), clip["source"].lip_gaps
            correct, similarities = [], []
            for name in edited_emotions(clip):
                edit = clip[name].disparities(metric)
                correct.append(triplets(frame_scores(source, edit), gaps, clip[name].lip_gaps)[0])
                similarities.append(mean_similarities(source, edit))
            shares[row, column] = np.concatenate(correct).mean()
            cosines[row] += np.mean(similarities, 0) / len(clips)
        backbone.clear()
    return shares, cosines


def format_gain(difference: np.ndarray) -> str:
    """Format the mean of a difference paired by clip in percent, its interval, and its p-value."""
    effect = paired_effect(100 * difference, 1)
    return f"{effect.mean:+.1f} [{effect.low:+.1f}, {effect.high:+.1f}], p {effect.p:.3f}"


def summarize(shares: np.ndarray, cosines: np.ndarray, seeds: int) -> Iterator[tuple[str, str]]:
    """Yield the rows of `FIXED`, and of every variant with its seeds.

    Args:
        shares: of `FIXED`, and of the variants' seeds one after the other, (metrics, clips).
        cosines: (metrics, 2, 4).
        seeds: of each variant.
    """
    rows = {name: slice(n, n + 1) for n, name in enumerate(FIXED)}
    first = len(FIXED)
    rows |= {name: slice(first + seeds * n, first + seeds * (n + 1)) for n, name in enumerate(VARIANTS)}
    for name, part in rows.items():
        by_seed = 100 * shares[part].mean(1)
        yield f"{name}: triplets, %", f"{by_seed.mean():.1f} ± {by_seed.std(ddof=1) if len(by_seed) > 1 else 0:.1f}"
        for other in ("random", "bundled"):
            if name != other:
                yield f"{name} − {other}", format_gain(shares[part].mean(0) - shares[rows[other]].mean(0))
        corresponding, non_corresponding = cosines[part].mean(0)
        for n in range(2):
            yield f"{name}: map {n + 1}", f"{corresponding[n]:.3f} corresponding, {non_corresponding[n]:.3f} not"


def main() -> None:
    """Run the comparison."""
    limit_threads()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=Path, required=True, help="folder of `benchmarks.metric --faces`")
    parser.add_argument("--takes", type=int, default=48, help="synthetic speakers of a training")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="measure every n-th frame of the clips")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/metric_heads"))
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    backbone = MemoizedBackbone(load_metric(BUNDLED).backbone)
    states = train_all(backbone, arguments.takes, arguments.steps, arguments.seeds, arguments.output)
    fixed = [load_metric(BUNDLED, heads=heads).heads.state_dict() for heads in ("random", "trained")]
    fixed += [{name: value * ("bias" not in name) for name, value in state.items()} for state in fixed]
    metrics = [with_heads(backbone, state).eval() for state in fixed + [x for name in VARIANTS for x in states[name]]]
    clips = [thin_out(load_faces(file), arguments.every) for file in sorted(arguments.faces.glob("*.npz"))]
    shares, cosines = measure_clips(backbone, metrics, clips)
    rows = {"clips": str(len(clips)), **dict(summarize(shares, cosines, arguments.seeds))}
    print_rows("metric_heads", rows, arguments.json)


if __name__ == "__main__":
    main()
