"""The command `training.ablate`: run all trainings of the ablations, then all scorings, then write the report."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from asccl.errors import AscclError, SettingError
from training import train_manipulator, train_renderer
from training.ablation import report, score
from training.ablation.design import SUPERVISIONS, TrainingStage, distinct_trainings
from training.ablation.score import ScoreSettings, network_file, read_scores
from training.engine.settings import PRESETS, load_preset
from training.preprocess.workers import run_in_processes, run_serially
from training.train_manipulator import ManipulatorSettings
from training.train_renderer import RendererSettings


class AblationError(AscclError):
    """A training or a scoring of the ablation has failed."""


@dataclass(frozen=True)
class AblateSettings:
    """Settings of `training.ablate`.

    Attributes:
        output: folder of networks, logs and report.
        recipe: each network is trained as presets/ablation/RECIPE.toml says.
        seeds: number of repetitions, each with its own data, initial weights and speaker.
        jobs: processes of one thread each; 0 does all in this process, with its threads.
        weight_3dmm: weight of ASCCL at the level of the 3DMM, before the weight scale of a supervision variant.
        weight_image: the same at the level of images.
        emotions: number of target emotions.
        frames: frames of a test case.
        cases_per_emotion: test cases of every target emotion.
        device: device that the edits are made on.
        data: folder of `training.prepare`; without one, all people are synthetic.
        person: label of the person on whom the renderers are trained and the edits are made.
    """

    output: Path = Path("build/ablation")
    recipe: str = "cpu"
    seeds: int = 3
    jobs: int = 2
    weight_3dmm: float = 0.3
    weight_image: float = 1.0
    emotions: int = 7
    frames: int = 16
    cases_per_emotion: int = 2
    device: str = "cpu"
    data: Path | None = None
    person: str = ""


@dataclass(frozen=True)
class ScoringJob:
    """The scoring of a seed."""

    seed: int

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


def plan_jobs(settings: AblateSettings) -> tuple[list[TrainingJob], list[ScoringJob]]:
    """Return the trainings that are not finished, and the scorings."""
    folder, seeds = settings.output / "networks", range(settings.seeds)
    trainings = [
        TrainingJob(stage, supervision, seed, network_file(folder, stage, supervision, seed))
        for stage, supervision in distinct_trainings()
        for seed in seeds
    ]
    return [job for job in trainings if not job.target.exists()], [ScoringJob(seed) for seed in seeds]


def training_settings(settings: AblateSettings, job: TrainingJob) -> ManipulatorSettings | RendererSettings:
    """Return the settings of the training of a network. Raises SettingError."""
    is_renderer = job.stage == "renderer"
    settings_type = RendererSettings if is_renderer else ManipulatorSettings
    table: dict[str, Any] = load_preset(settings_type, str(PRESETS / "ablation" / f"{settings.recipe}.toml"))
    table |= {"seed": job.seed, "weights": job.target, "output": settings.output / "trainings" / job.name}
    if settings.data is not None:
        table |= {"data": settings.data, "people": settings.person if is_renderer else "", "verify": False}
    supervision = SUPERVISIONS[job.supervision]
    if supervision is not None:
        weight = settings.weight_image if is_renderer else settings.weight_3dmm
        table["asccl_weight"] = weight * supervision.weight_scale[job.stage]
        table |= {"heads": supervision.heads, "daas": supervision.daas}
    return settings_type(**table)


def score_settings(settings: AblateSettings, job: ScoringJob) -> ScoreSettings:
    """Return the settings of the scoring of a seed."""
    return ScoreSettings(
        networks=settings.output / "networks",
        scores=settings.output / f"{job.name}.jsonl",
        seed=job.seed,
        emotions=settings.emotions,
        frames=settings.frames,
        cases_per_emotion=settings.cases_per_emotion,
        device=settings.device,
        data=settings.data,
        person=settings.person,
    )


def run_job(settings: AblateSettings, job: AblationJob) -> float:
    """Run a job with its output in a log, and return its duration in seconds. Raises AblationError."""
    start = monotonic()
    log = settings.output / "logs" / f"{job.name}.log"
    with log.open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        try:
            if isinstance(job, ScoringJob):
                score.main(score_settings(settings, job))
            else:
                _train(training_settings(settings, job))
        except Exception as error:
            traceback.print_exc(file=file)
            raise AblationError(f"{job.name} failed ({error})", f"see {log}; the same command continues") from error
    return monotonic() - start


def _train(settings: ManipulatorSettings | RendererSettings) -> None:
    if isinstance(settings, RendererSettings):
        train_renderer.main(settings)
    else:
        train_manipulator.main(settings)


def run_jobs(settings: AblateSettings, jobs: Sequence[AblationJob]) -> None:
    """Run all jobs, even if some fail. Raises AblationError."""
    function = partial(run_job, settings)
    results = run_in_processes(function, jobs, settings.jobs) if settings.jobs else run_serially(function, jobs)
    failed = []
    for number, (job, seconds, error) in enumerate(results):
        if error is not None:
            failed.append(job.name)
        print(f"{number + 1}/{len(jobs)} {job.name}: {f'{seconds:.0f} s' if error is None else error}", flush=True)
    if failed:
        raise AblationError(
            f"{len(failed)} of {len(jobs)} jobs failed, first {failed[0]}",
            f"see {settings.output / 'logs'}, then run the same command again",
        )


def main(settings: AblateSettings) -> None:
    """Run an ablation. Raises AscclError."""
    if settings.data is not None and not settings.person:
        raise SettingError("--person is missing", "give the person on whom the renderers are trained")
    (settings.output / "logs").mkdir(parents=True, exist_ok=True)
    trainings, scorings = plan_jobs(settings)
    run_jobs(settings, trainings)
    run_jobs(settings, scorings)
    scores = [row for job in scorings for row in read_scores(score_settings(settings, job).scores)]
    report.write_report(scores, settings.output)
