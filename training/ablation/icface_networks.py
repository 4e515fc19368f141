"""Networks of the ablation of ICface: its settings, and their trainings, one after the other or at the same time."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from asccl.errors import SettingError
from asccl.metric.scc import Heads
from training import train_icface
from training.ablation.icface_report import BASELINE
from training.ablation.logged import run_logged
from training.engine.settings import PRESETS, load_preset
from training.icface_files import list_snapshots
from training.icface_settings import IcfaceTrainingSettings
from training.preprocess.workers import run_in_processes, run_serially

ASCCL_WEIGHT = 0.3  # as published


@dataclass(frozen=True)
class IcfaceSupervision:
    """How a network of the ablation is trained.

    Attributes:
        weight: of the ASCCL loss.
        heads: mapping f of its metric.
        keeps_opacity_loss: False leaves out the loss of the opacity of generated colours.
    """

    weight: float
    heads: Heads = "trained"
    keeps_opacity_loss: bool = True


SUPERVISIONS = {
    BASELINE: IcfaceSupervision(0.0),
    "ICface + ASCCL": IcfaceSupervision(ASCCL_WEIGHT),
    "ICface + ASCCL untrained": IcfaceSupervision(ASCCL_WEIGHT, "random"),
    "ICface without opacity loss": IcfaceSupervision(0.0, keeps_opacity_loss=False),
}


IcfacePart = Literal["all", "train", "reader", "score", "choose"]


@dataclass(frozen=True)
class AblateIcfaceSettings:
    """Settings of `training.ablate_icface`.

    Attributes:
        output: folder of networks, logs and report.
        recipe: each network is trained as the table of presets/ablation/RECIPE.toml says.
        seeds: number of repetitions, each with its own people and initial weights.
        part: "all", or only "train" the networks, train the "reader" of the controls, "score" networks and report; or
            "choose" the network with the best PSNR on other people.
        jobs: processes of one thread each that train at the same time; 0 trains in this process, with its threads.
        seconds: each training ends after this time, and of a training with more steps than the slowest, an earlier
            network is taken, so that all have the same number of steps; 0 trains all steps of the recipe.
        untrained: also train with the heads of an untrained metric.
        opacity: also train without the loss of the opacity of generated colours.
        people: held-out people of each seed.
        frames: of each of them.
    """

    output: Path = Path("build/ablation-icface")
    recipe: str = "cpu"
    seeds: int = 6
    part: IcfacePart = "all"
    jobs: int = 0
    seconds: float = 0.0
    untrained: bool = False
    opacity: bool = False
    people: int = 5
    frames: int = 10


def icface_network_file(settings: AblateIcfaceSettings, row: str, seed: int) -> Path:
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
    return [
        row
        for row, supervision in SUPERVISIONS.items()
        if (settings.untrained or supervision.heads == "trained")
        and (settings.opacity or supervision.keeps_opacity_loss)
    ]


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
    file, supervision = icface_network_file(settings, row, seed), SUPERVISIONS[row]
    folder = settings.output / "trainings" / file.stem
    table |= {"seed": seed, "weights": file, "output": folder}
    if not supervision.keeps_opacity_loss:
        table["opacity_weight"] = 0.0
    if settings.seconds:
        table |= {"weights": folder / file.name, "max_seconds": settings.seconds, "snapshots": True}
    return IcfaceTrainingSettings(**table, asccl_weight=supervision.weight, heads=supervision.heads)


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
    run_logged(training, settings.output / "logs" / f"{icface_network_file(settings, *job).stem}.log")


def train_networks(settings: AblateIcfaceSettings) -> None:
    """Train the networks whose files are missing. Raises AblationError."""
    every = [NetworkJob(row, seed) for seed in range(settings.seeds) for row in selected_rows(settings)]
    missing = [job for job in every if not icface_network_file(settings, *job).exists()]
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
        jobs: the trainings.
    """
    snapshots = {job: list_snapshots(training_settings(settings, *job).output) for job in jobs}
    step = max(set.intersection(*(set(files) for files in snapshots.values())))
    for job, files in snapshots.items():
        shutil.copyfile(files[step], icface_network_file(settings, *job))
    print(f"{len(jobs)} networks of step {step}")


def required_files(settings: AblateIcfaceSettings) -> list[Path]:
    """Return the files of all networks. Raises SettingError: one is missing."""
    files = [
        icface_network_file(settings, row, seed) for seed in range(settings.seeds) for row in selected_rows(settings)
    ]
    if missing := [file.name for file in files if not file.exists()]:
        raise SettingError(
            f"{len(missing)} networks are missing in {files[0].parent}, first {missing[0]}", "run --part train first"
        )
    return files
