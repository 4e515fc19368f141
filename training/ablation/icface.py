"""ICface with and without ASCCL: trainings of several seeds, and edits of people whose truth is known.

Networks and rows of scores are kept in the output folder; the same command continues a stopped run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from asccl import hub
from asccl.errors import SettingError
from asccl.face.facemesh import FaceMesh
from asccl.metric.scc import Heads
from asccl.nets.blocks import tensor_shapes
from asccl.nets.icface import Discriminator, Icface
from asccl.nets.icface_settings import DiscriminatorSettings
from asccl.zoo import load_icface
from training import train_icface
from training.ablation.icface_reader import ReaderSettings, train_reader
from training.ablation.icface_report import BASELINE, write_report
from training.ablation.logged import run_logged
from training.ablation.score import UNCHANGED_ROW, read_scores
from training.datasets import HELD_OUT_SEED_OFFSET
from training.datasets.driven_clips import SETTINGS, DrivenClip
from training.datasets.synthetic_controlled import synthetic_driven_clips
from training.engine.settings import PRESETS, load_preset
from training.icface_eval import ReadControls, drive, measure_clip, reader
from training.icface_files import list_snapshots
from training.icface_settings import IcfaceTrainingSettings
from training.preprocess.workers import run_in_processes, run_serially

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


Part = Literal["all", "train", "reader", "score"]


@dataclass(frozen=True)
class AblateIcfaceSettings:
    """Settings of `training.ablate_icface`.

    Attributes:
        output: folder of networks, logs and report.
        recipe: each network is trained as the table of presets/ablation/RECIPE.toml says.
        seeds: number of repetitions, each with its own people and initial weights.
        part: "all", or only "train" the networks, train the "reader" of the controls, or "score" networks and report.
        jobs: processes of one thread each that train at the same time; 0 trains in this process, with its threads.
        seconds: each training ends after this time, and of a training with more steps than the slowest, an earlier
            network is taken, so that all have the same number of steps; 0 trains all steps of the recipe.
        untrained: also train with the heads of an untrained metric.
        people: held-out people of each seed.
        frames: of each of them.
    """

    output: Path = Path("build/ablation-icface")
    recipe: str = "cpu"
    seeds: int = 6
    part: Part = "all"
    jobs: int = 0
    seconds: float = 0.0
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
    folder = settings.output / "trainings" / file.stem
    table |= {"seed": seed, "weights": file, "output": folder}
    if settings.seconds:
        table |= {"weights": folder / file.name, "max_seconds": settings.seconds, "snapshots": True}
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


class NetworkJob(NamedTuple):
    """The training of a network."""

    row: str
    seed: int


def train_network(settings: AblateIcfaceSettings, job: NetworkJob) -> None:
    """Train a network, in a process of several with its output in a log. Raises AscclError."""
    training = partial(train_icface.main, training_settings(settings, *job))
    if not settings.jobs:
        training()
        return
    torch.set_num_threads(1)
    run_logged(training, settings.output / "logs" / f"{network_file(settings, *job).stem}.log")


def train_networks(settings: AblateIcfaceSettings) -> None:
    """Train the networks whose files are missing. Raises AblationError."""
    every = [NetworkJob(row, seed) for seed in range(settings.seeds) for row in selected_rows(settings)]
    missing = [job for job in every if not network_file(settings, *job).exists()]
    function = partial(train_network, settings)
    results = run_in_processes(function, missing, settings.jobs) if settings.jobs else run_serially(function, missing)
    errors = [error for _, _, error in results if error is not None]
    if errors:
        raise errors[0]
    if settings.seconds and missing:
        keep_common_step(settings, missing)


def keep_common_step(settings: AblateIcfaceSettings, jobs: Sequence[NetworkJob]) -> None:
    """Make the snapshots of the last step that all trainings have reached the networks of the ablation.

    Args:
        settings: of the ablation.
        jobs: the trainings, whose learning rate has not decayed before that step.
    """
    snapshots = {job: list_snapshots(training_settings(settings, *job).output) for job in jobs}
    step = max(set.intersection(*(set(files) for files in snapshots.values())))
    for job, files in snapshots.items():
        shutil.copyfile(files[step], network_file(settings, *job))
    print(f"{len(jobs)} networks of step {step}")


def main(settings: AblateIcfaceSettings) -> None:
    """Run the ablation, or a part of it; the report is written after every seed. Raises AscclError."""
    (settings.output / "networks").mkdir(parents=True, exist_ok=True)
    if settings.part in ("all", "train"):
        train_networks(settings)
    reader_file = settings.output / "networks" / "reader.safetensors"
    if settings.part != "train" and not reader_file.exists():
        recipe = str(PRESETS / "ablation" / f"{settings.recipe}.toml")
        folder = settings.output / "trainings" / "reader"
        train_reader(ReaderSettings(**load_preset(ReaderSettings, recipe), weights=reader_file, output=folder))
    if settings.part in ("all", "score"):
        score_networks(settings, reader(load_reader(reader_file)))


def score_networks(settings: AblateIcfaceSettings, read_controls: ReadControls) -> None:
    """Measure the networks of every seed and write the report. Raises SettingError: one is missing."""
    files = [network_file(settings, row, seed) for seed in range(settings.seeds) for row in selected_rows(settings)]
    if missing := [file.name for file in files if not file.exists()]:
        raise SettingError(
            f"{len(missing)} networks are missing in {files[0].parent}, first {missing[0]}", "run --part train first"
        )
    scores: list[Mapping[str, Any]] = []
    for seed in range(settings.seeds):
        scores += score_seed(settings, seed, read_controls)
        write_report(scores, settings.output)
