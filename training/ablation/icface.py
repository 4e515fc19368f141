"""ICface with and without ASCCL: trainings of several seeds, and edits of people whose truth is known.

Networks and rows of scores are kept in the output folder; the same command continues a stopped run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asccl import tensor_files
from asccl.face.facemesh import FaceMesh
from asccl.nets.blocks import tensor_shapes
from asccl.nets.icface import Icface
from asccl.nets.icface_discriminator import IcfaceDiscriminator
from asccl.nets.icface_settings import DiscriminatorSettings
from asccl.zoo import load_icface
from training.ablation.icface_choice import choice_clips, choose_network
from training.ablation.icface_networks import (
    AblateIcfaceSettings,
    icface_network_file,
    required_files,
    selected_rows,
    train_networks,
    training_settings,
)
from training.ablation.icface_reader import ReaderSettings, train_reader
from training.ablation.icface_report import BASELINE, write_report
from training.ablation.score import UNCHANGED_ROW, read_scores
from training.datasets import HELD_OUT_SEED_OFFSET
from training.datasets.driven_clips import DRIVEN_SETTINGS, DrivenClip
from training.datasets.synthetic_controlled import synthetic_driven_clips
from training.engine.settings import PRESETS, load_preset
from training.icface_eval import ReadControls, drive, measure_clip, reader
from training.icface_settings import IcfaceTrainingSettings

UNTRAINED_ROW = "untrained network"
TRUTH_ROW = "truth"  # the true images themselves: the errors of the measures


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
    values: dict[str, list[dict[str, float]]] = {setting: [] for setting in DRIVEN_SETTINGS}
    for clip in clips:
        values[clip.setting].append(measure_clip(generate(clip), clip, read_controls, face_mesh))
    return {setting: mean_metrics(rows) for setting, rows in values.items()}


def mean_metrics(rows: list[dict[str, float]]) -> dict[str, float]:
    """Average metrics over clips, each over the clips where it is defined; NaN where it is defined nowhere."""
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return {name: float(np.nanmean(x)) if np.isfinite(x).any() else float("nan") for name, x in columns.items()}


def load_reader(path: Path) -> IcfaceDiscriminator:
    """Load the network that estimates controls."""
    net = IcfaceDiscriminator(DiscriminatorSettings.from_metadata(tensor_files.read_metadata(path)))
    net.load_state_dict(tensor_files.load_tensors(path, tensor_shapes(net)))
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
        net = load_icface(icface_network_file(settings, row, seed))
    return lambda clip: drive(net, clip.source, clip.truth.controls)[1]


def main(settings: AblateIcfaceSettings) -> None:
    """Run the ablation, or a part of it; the report is written after every seed. Raises AscclError."""
    (settings.output / "networks").mkdir(parents=True, exist_ok=True)
    if settings.part in ("all", "train"):
        train_networks(settings)
    if settings.part == "choose":
        network = training_settings(settings, BASELINE, 0)
        choose_network(required_files(settings), choice_clips(network.size, network.pose_limit))
        return
    reader_file = settings.output / "networks" / "reader.safetensors"
    if settings.part != "train" and not reader_file.exists():
        recipe = str(PRESETS / "ablation" / f"{settings.recipe}.toml")
        folder = settings.output / "trainings" / "reader"
        train_reader(ReaderSettings(**load_preset(ReaderSettings, recipe), weights=reader_file, output=folder))
    if settings.part in ("all", "score"):
        score_networks(settings, reader(load_reader(reader_file)))


def score_networks(settings: AblateIcfaceSettings, read_controls: ReadControls) -> None:
    """Measure the networks of every seed and write the report. Raises SettingError: one is missing."""
    required_files(settings)
    scores: list[Mapping[str, Any]] = []
    for seed in range(settings.seeds):
        scores += score_seed(settings, seed, read_controls)
        write_report(scores, settings.output)
