"""ICface with and without ASCCL: trainings of several seeds, and edits of people whose truth is known.

Networks and rows of scores are kept in the output folder; the same command continues a stopped run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asccl import hub
from asccl.face.facemesh import FaceMesh
from asccl.metric.scc import Heads
from asccl.nets.blocks import tensor_shapes
from asccl.nets.icface import Discriminator, Icface
from asccl.nets.icface_settings import DiscriminatorSettings
from asccl.zoo import load_icface
from training import train_icface
from training.ablation.icface_reader import ReaderSettings, train_reader
from training.ablation.icface_report import BASELINE, write_report
from training.ablation.score import UNCHANGED_ROW, read_scores
from training.datasets import HELD_OUT_SEED_OFFSET
from training.datasets.driven_clips import SETTINGS, DrivenClip
from training.datasets.synthetic_controlled import synthetic_driven_clips
from training.engine.settings import PRESETS, load_preset
from training.icface_eval import ReadControls, drive, measure_clip, reader
from training.train_icface import IcfaceTrainingSettings

UNTRAINED_ROW = "untrained network"
TRUTH_ROW = "truth"  # what the measures say to the true images: their own errors
ASCCL_WEIGHT = 0.3  # as published


@dataclass(frozen=True)
class IcfaceSupervision:
    """How a network of the ablation is trained.

    Attributes:
        weight: of the ASCCL loss.
        heads: disparity heads of its metric.
    """

    weight: float
    heads: Heads = "trained"


SUPERVISIONS = {
    BASELINE: IcfaceSupervision(0.0),
    "ICface + ASCCL": IcfaceSupervision(ASCCL_WEIGHT),
    "ICface + ASCCL untrained": IcfaceSupervision(ASCCL_WEIGHT, "random"),
}


@dataclass(frozen=True)
class AblateIcfaceSettings:
    """Settings of `training.ablate_icface`.

    Attributes:
        output: folder of networks, logs and report.
        recipe: each network is trained as the table of presets/ablation/RECIPE.toml says.
        seeds: number of repetitions, each with its own people and initial weights.
        untrained: also train with the heads of an untrained metric.
        people: held-out people of each seed.
        frames: of each of them.
    """

    output: Path = Path("build/ablation-icface")
    recipe: str = "cpu"
    seeds: int = 6
    untrained: bool = False
    people: int = 5
    frames: int = 10


def network_file(settings: AblateIcfaceSettings, row: str, seed: int) -> Path:
    """Return the file of a network.

    Args:
        settings: of the ablation.
        row: a key of `SUPERVISIONS`.
        seed: of the training.
    """
    name = row.lower().replace(" + ", "-").replace(" ", "-")
    return settings.output / "networks" / f"{name}-{seed}.safetensors"


def selected_rows(settings: AblateIcfaceSettings) -> list[str]:
    """Return the keys of `SUPERVISIONS` that are trained."""
    return [row for row, supervision in SUPERVISIONS.items() if settings.untrained or supervision.heads == "trained"]


def training_settings(settings: AblateIcfaceSettings, row: str, seed: int) -> IcfaceTrainingSettings:
    """Return the settings of a training.

    Args:
        settings: of the ablation.
        row: a key of `SUPERVISIONS`.
        seed: of the training.

    Raises:
        SettingError: the recipe has no table for ICface.
    """
    table: dict[str, Any] = load_preset(IcfaceTrainingSettings, str(PRESETS / "ablation" / f"{settings.recipe}.toml"))
    file, supervision = network_file(settings, row, seed), SUPERVISIONS[row]
    table |= {"seed": seed, "weights": file, "output": settings.output / "trainings" / file.stem}
    return IcfaceTrainingSettings(**table, asccl_weight=supervision.weight, heads=supervision.heads)


def score_row(
    generate: Callable[[DrivenClip], np.ndarray],
    clips: tuple[DrivenClip, ...],
    read_controls: ReadControls,
    face_mesh: FaceMesh,
) -> dict[str, dict[str, float]]:
    """Measure the clips of all settings.

    Args:
        generate: the images of a clip, (T, S, S, 3) uint8 RGB.
        clips: to generate.
        read_controls: estimates controls.
        face_mesh: detects lips.

    Returns:
        Means over the clips, by setting and metric.
    """
    values: dict[str, list[dict[str, float]]] = {setting: [] for setting in SETTINGS}
    for clip in clips:
        values[clip.setting].append(measure_clip(generate(clip), clip, read_controls, face_mesh))
    return {setting: mean_metrics(rows) for setting, rows in values.items()}


def mean_metrics(rows: list[dict[str, float]]) -> dict[str, float]:
    """Average metrics over clips, each over the clips where it is defined; NaN where it is defined nowhere."""
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {name: float(np.nanmean(x)) if np.isfinite(x).any() else float("nan") for name, x in columns.items()}


def load_reader(path: Path) -> Discriminator:
    """Load the network that estimates controls."""
    net = Discriminator(DiscriminatorSettings.from_metadata(hub.read_metadata(path)))
    net.load_state_dict(hub.load_safetensors(path, tensor_shapes(net)))
    return net.eval()


def score_seed(settings: AblateIcfaceSettings, seed: int, read_controls: ReadControls) -> list[Mapping[str, Any]]:
    """Measure the rows of a seed that are not in its file yet; return all.

    Args:
        settings: of the ablation.
        seed: of the trainings.
        read_controls: estimates controls.
    """
    path = settings.output / f"scores-{seed}.jsonl"
    scores: list[Mapping[str, Any]] = list(read_scores(path))
    path.write_text("".join(json.dumps(score) + "\n" for score in scores), encoding="utf-8")
    trained = selected_rows(settings)
    rows = TRUTH_ROW, UNCHANGED_ROW, UNTRAINED_ROW, *trained
    missing = [row for row in rows if row not in {score["row"] for score in scores}]
    if not missing:
        return scores
    network = training_settings(settings, BASELINE, seed)
    crop = network.size, network.pose_limit
    clips = synthetic_driven_clips(seed + 2 * HELD_OUT_SEED_OFFSET, settings.people, settings.frames, *crop)
    face_mesh = FaceMesh()
    for row in missing:
        means = score_row(_image_source(settings, row, seed, network), clips, read_controls, face_mesh)
        for setting, values in means.items():
            scores.append({"seed": seed, "setting": setting, "row": row, **values})
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(score) + "\n" for score in scores[-len(means) :]))
    face_mesh.close()
    return scores


def _image_source(
    settings: AblateIcfaceSettings, row: str, seed: int, network: IcfaceTrainingSettings
) -> Callable[[DrivenClip], np.ndarray]:
    """The function that returns the images of a row for a clip."""
    if row == TRUTH_ROW:
        return lambda clip: clip.truth.images
    if row == UNCHANGED_ROW:
        return lambda clip: clip.source.images
    if row == UNTRAINED_ROW:
        torch.manual_seed(seed)
        net = Icface(network.network_settings()).freeze()
    else:
        net = load_icface(network_file(settings, row, seed))
    return lambda clip: drive(net, clip.source, clip.truth.controls)[1]


def main(settings: AblateIcfaceSettings) -> None:
    """Run the ablation; the report is written after every seed. Raises AscclError."""
    (settings.output / "networks").mkdir(parents=True, exist_ok=True)
    reader_file = settings.output / "networks" / "reader.safetensors"
    if not reader_file.exists():
        network = training_settings(settings, BASELINE, 0)
        train_reader(ReaderSettings.of_training(network, reader_file, settings.output / "trainings" / "reader"))
    read_controls = reader(load_reader(reader_file))
    scores: list[Mapping[str, Any]] = []
    for seed in range(settings.seeds):
        for row in selected_rows(settings):
            if not network_file(settings, row, seed).exists():
                train_icface.main(training_settings(settings, row, seed))
        scores += score_seed(settings, seed, read_controls)
        write_report(scores, settings.output)
