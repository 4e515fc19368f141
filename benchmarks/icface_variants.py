"""Train small variants of ICface side by side, to show what keeps a short training from beating a copy of the source.

    python -m benchmarks.icface_variants [--steps 200] [--variants NAME ...] [--output DIR] [--json FILE]

All variants see the same synthetic people in the same order. Held-out people show how each does after the training:
PSNR against the truth with the averages that an edit normalizes by, and with the statistics of each batch.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import nn

from asccl.evaluation.truth_metrics import psnr
from asccl.nets.icface import Icface
from benchmarks.report import print_rows
from training import train_icface
from training.engine.settings import load_preset
from training.icface_eval import drive
from training.icface_settings import IcfaceTrainingSettings
from training.train_icface import load_clips

PUBLISHED_TRAINING = MappingProxyType(
    {
        "initialization": "published",
        "optimizer": "rmsprop",
        "learning_rate": 2e-4,
        "dropout": 0.5,
        "adversarial_weight": 1.0,
        "attributes_weight": 10.0,
        "identity_weight": 10.0,
        "neutral_weight": 10.0,
        "r1_weight": 0.05,
    }
)
COLOURS = MappingProxyType({"synthesis": "colours", "network_size": 0, "learning_rate": 1e-3})
VARIANTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "published": {**COLOURS, "norm": "batch", **PUBLISHED_TRAINING},
        "colours, batch": {**COLOURS, "norm": "batch"},
        "colours, group": {**COLOURS, "norm": "group"},
        "blend, group": {"synthesis": "blend", "norm": "group"},
        "warp, group": {"synthesis": "warp", "norm": "group"},
    }
)
PEOPLE, HELD_OUT_PEOPLE = 48, 4


def batch_psnr(net: Icface, settings: IcfaceTrainingSettings) -> dict[str, float]:
    """Mean PSNR on the held-out clips of each setting, dB, with batch normalization by the statistics of each batch."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    values: dict[str, list[float]] = {}
    for clip in load_clips(settings)[1]:
        _, generated = drive(net, clip.source, clip.truth.controls)
        values.setdefault(clip.setting, []).append(psnr(generated, clip.truth.images))
    return {setting: float(np.mean(items)) for setting, items in values.items()}


def train_variant(name: str, settings: IcfaceTrainingSettings) -> dict[str, float]:
    """Train a variant, unless its folder holds the finished training.

    Args:
        name: of the variant, a key of `VARIANTS`.
        settings: common to all variants.

    Returns:
        Metrics on held-out people; "seconds" of processor time.
    """
    folder = settings.output / name.replace(", ", "-").replace(" ", "-")
    own = replace(settings, output=folder, weights=folder / "icface.safetensors", **VARIANTS[name])
    started = time.process_time()
    train_icface.main(own)
    seconds = time.process_time() - started
    lines = (json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines())
    metrics = [line for line in lines if "edit/psnr" in line][-1]
    net = Icface.from_pretrained(own.weights)
    batch = {f"{setting}/batch_psnr": value for setting, value in batch_psnr(net, own).items()}
    return {key: value for key, value in metrics.items() if key != "step"} | batch | {"seconds": seconds}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("-o", "--output", type=Path, default=Path("build/icface-variants"))
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    table = load_preset(IcfaceTrainingSettings, "cpu")
    table |= {"steps": arguments.steps, "evaluate_every": arguments.steps, "output": arguments.output}
    table |= {"synthetic_people": PEOPLE, "held_out_people": HELD_OUT_PEOPLE}
    settings = IcfaceTrainingSettings(**table)
    rows: dict[str, float | str] = {}
    for name in arguments.variants:
        values = train_variant(name, settings)
        rows |= {f"{name}: {key}": value for key, value in values.items()}
    print_rows("icface_variants", {"steps": float(arguments.steps), **rows}, arguments.json)


if __name__ == "__main__":
    main()
