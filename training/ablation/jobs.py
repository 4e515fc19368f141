"""Jobs of the command `training.ablate`: its settings, the networks to train, and the settings of every job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from training.ablation.design import (
    OUTLINE_SAMPLES,
    PRETRAINED,
    SUPERVISIONS,
    Supervision,
    TrainingStage,
    planned_supervisions,
)
from training.ablation.score import ScoreSettings, network_file
from training.engine.settings import PRESETS, load_preset
from training.renderer_settings import RendererSettings
from training.train_manipulator import ManipulatorSettings

Part = Literal["all", "manipulators", "renderers", "report"]


@dataclass(frozen=True)
class AblateSettings:
    """Settings of `training.ablate`.

    Attributes:
        output: folder of networks, logs and report.
        recipe: each network is trained as presets/ablation/RECIPE.toml says.
        pretraining: recipe of the networks without ASCCL that all networks of a seed start from, like `recipe`; without
            one, each starts from random weights.
        part: which parts to run: "all", "manipulators", "renderers" with the edits made by them, or the "report" of
            what is finished.
        manipulator_seeds: repetitions of the manipulators, each with its own data and initial weights.
        renderer_seeds: repetitions of the renderers and of whole edits, each with its own speaker; at most as many.
        jobs: processes of one thread each; 0 does all in this process, with its threads.
        weight_3dmm: weight of ASCCL at the level of the 3DMM, before the weight scale of a supervision variant.
        weight_image: the same at the level of images.
        emotions: number of target emotions.
        frames: frames of a test case.
        cases_per_emotion: test cases of every target emotion.
        cross_id: also measure edits whose reference is another person.
        sequences: test sequences of every manipulator alone.
        device: device that the edits are made on.
        data: folder of `training.prepare`; without one, all people are synthetic.
        person: label of the person on whom the renderers are trained and the edits are made.
        icface: folder of `training.ablate_icface`, whose tables join the report.
    """

    output: Path = Path("build/ablation")
    recipe: str = "cpu"
    pretraining: str = ""
    part: Part = "all"
    manipulator_seeds: int = 16
    renderer_seeds: int = 8
    jobs: int = 2
    weight_3dmm: float = 0.1
    weight_image: float = 1.0
    emotions: int = 7
    frames: int = 16
    cases_per_emotion: int = 3
    cross_id: bool = True
    sequences: int = 105
    device: str = "cpu"
    data: Path | None = None
    person: str = ""
    icface: Path = Path("build/ablation-icface")

    def seeds(self, stage: TrainingStage) -> int:
        """Return the number of seeds of a stage."""
        return self.manipulator_seeds if stage == "manipulator" else self.renderer_seeds


@dataclass(frozen=True)
class ScoringJob:
    """The scoring of a seed: renderers alone or, with `edits`, also whole edits."""

    seed: int
    edits: bool = True

    @property
    def name(self) -> str:
        """Name in logs."""
        return f"scores-{self.seed}"


@dataclass(frozen=True)
class TrainingJob:
    """The training of one network, which is written to `target`."""

    stage: TrainingStage
    supervision: str
    seed: int
    target: Path

    @property
    def name(self) -> str:
        """Name in logs."""
        return self.target.stem


AblationJob = TrainingJob | ScoringJob


def plan_trainings(settings: AblateSettings, stage: TrainingStage, names: Sequence[str]) -> list[TrainingJob]:
    """Return the trainings of a stage that are not finished, seed by seed.

    Args:
        settings: of the ablation.
        stage: of the networks.
        names: of supervisions, or `PRETRAINED`.
    """
    folder = settings.output / "networks"
    jobs = [
        TrainingJob(stage, name, seed, network_file(folder, stage, name, seed))
        for seed in range(settings.seeds(stage))
        for name in names
    ]
    return [job for job in jobs if not _is_finished(settings, job)]


def names_in_order(stage: TrainingStage) -> list[list[str]]:
    """Return the supervisions of a stage in groups: those of planned comparisons, then all others."""
    planned = planned_supervisions(stage)
    others = [name for name in SUPERVISIONS[stage] if name not in planned]
    return [names for names in (planned, others) if names]


def _is_finished(settings: AblateSettings, job: TrainingJob) -> bool:
    return job.target.exists() and (job.stage == "renderer" or score_file(settings, job).exists())


def score_file(settings: AblateSettings, job: TrainingJob) -> Path:
    """Return the file of the measures of a manipulator alone."""
    return settings.output / "alone" / f"{job.name}.json"


def training_settings(settings: AblateSettings, job: TrainingJob) -> ManipulatorSettings | RendererSettings:
    """Return the settings of the training of a network. Raises SettingError."""
    is_renderer = job.stage == "renderer"
    is_pretraining = job.supervision == PRETRAINED
    settings_type = RendererSettings if is_renderer else ManipulatorSettings
    recipe = settings.pretraining if is_pretraining else settings.recipe
    table: dict[str, Any] = load_preset(settings_type, str(PRESETS / "ablation" / f"{recipe}.toml"))
    table |= {"seed": job.seed, "weights": job.target, "output": settings.output / "trainings" / job.name}
    if settings.data is not None:
        table |= {"data": settings.data, "people": settings.person if is_renderer else "", "verify": False}
    if is_pretraining:
        return settings_type(**table)
    if settings.pretraining:
        table["start_from"] = str(network_file(settings.output / "networks", job.stage, PRETRAINED, job.seed))
    supervision = SUPERVISIONS[job.stage][job.supervision]
    table |= _asccl_settings(supervision, settings.weight_image if is_renderer else settings.weight_3dmm)
    if is_renderer:
        table["asccl_on"] = supervision.asccl_on
    elif supervision.outlines:
        table |= {"asccl_outlines": True, "asccl_samples": OUTLINE_SAMPLES}
    return settings_type(**table)


def _asccl_settings(supervision: Supervision, weight: float) -> dict[str, Any]:
    """Return the settings of a training by their names; `weight` is that of its level."""
    return {
        "asccl_weight": weight * supervision.weight_scale,
        "temporal_weight": supervision.temporal_weight,
        "heads": supervision.heads,
        "daas": supervision.daas,
    }


def score_settings(settings: AblateSettings, job: ScoringJob) -> ScoreSettings:
    """Return the settings of the scoring of a seed."""
    return ScoreSettings(
        networks=settings.output / "networks",
        scores=settings.output / f"{job.name}.jsonl",
        seed=job.seed,
        emotions=settings.emotions,
        frames=settings.frames,
        cases_per_emotion=settings.cases_per_emotion,
        edits=job.edits,
        cross_id=settings.cross_id,
        device=settings.device,
        data=settings.data,
        person=settings.person,
    )
