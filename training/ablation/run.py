"""The command `training.ablate`: train and measure networks one by one, and write the report of those that are done.

A part is one network. Parts run in an order that finishes whole seeds first, so that a run that is stopped early has
paired results. The same command continues: it starts every part whose file is missing.
"""

from __future__ import annotations

import contextlib
import json
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from asccl.errors import AscclError, SettingError
from asccl.files import write_atomic
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.zoo import load_manipulator
from training import train_manipulator, train_renderer
from training.ablation import report, score
from training.ablation.cases import INTRA_ID
from training.ablation.design import SUPERVISIONS, TrainingStage
from training.ablation.manipulator_alone import (
    MAX_TEST_SEQUENCES,
    coefficient_case,
    measure_manipulator,
    synthetic_coefficient_cases,
)
from training.ablation.recorded_cases import recorded_cases
from training.ablation.score import ScoreSettings, network_file, read_scores
from training.engine.settings import PRESETS, load_preset
from training.preprocess.workers import run_in_processes, run_serially
from training.renderer_settings import RendererSettings
from training.train_manipulator import ManipulatorSettings

MAX_SEEDS = 100


class AblationError(AscclError):
    """A training or a scoring of the ablation has failed."""


Part = Literal["all", "manipulators", "renderers", "report"]


@dataclass(frozen=True)
class AblateSettings:
    """Settings of `training.ablate`.

    Attributes:
        output: folder of networks, logs and report.
        recipe: each network is trained as presets/ablation/RECIPE.toml says.
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
        sequences: test sequences of every manipulator alone.
        device: device that the edits are made on.
        data: folder of `training.prepare`; without one, all people are synthetic.
        person: label of the person on whom the renderers are trained and the edits are made.
    """

    output: Path = Path("build/ablation")
    recipe: str = "cpu"
    part: Part = "all"
    manipulator_seeds: int = 16
    renderer_seeds: int = 10
    jobs: int = 2
    weight_3dmm: float = 0.1
    weight_image: float = 1.0
    emotions: int = 7
    frames: int = 16
    cases_per_emotion: int = 3
    sequences: int = 105
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


def plan_trainings(settings: AblateSettings, stage: TrainingStage) -> list[TrainingJob]:
    """Return the trainings of a stage that are not finished, seed by seed."""
    folder = settings.output / "networks"
    seeds = settings.manipulator_seeds if stage == "manipulator" else settings.renderer_seeds
    jobs = [
        TrainingJob(stage, supervision, seed, network_file(folder, stage, supervision, seed))
        for seed in range(seeds)
        for supervision in SUPERVISIONS[stage]
    ]
    return [job for job in jobs if not _is_finished(settings, job)]


def _is_finished(settings: AblateSettings, job: TrainingJob) -> bool:
    return job.target.exists() and (job.stage == "renderer" or score_file(settings, job).exists())


def score_file(settings: AblateSettings, job: TrainingJob) -> Path:
    """Return the file of the measures of a manipulator alone."""
    return settings.output / "alone" / f"{job.name}.json"


def training_settings(settings: AblateSettings, job: TrainingJob) -> ManipulatorSettings | RendererSettings:
    """Return the settings of the training of a network. Raises SettingError."""
    is_renderer = job.stage == "renderer"
    settings_type = RendererSettings if is_renderer else ManipulatorSettings
    table: dict[str, Any] = load_preset(settings_type, str(PRESETS / "ablation" / f"{settings.recipe}.toml"))
    table |= {"seed": job.seed, "weights": job.target, "output": settings.output / "trainings" / job.name}
    if settings.data is not None:
        table |= {"data": settings.data, "people": settings.person if is_renderer else "", "verify": False}
    supervision = SUPERVISIONS[job.stage][job.supervision]
    weight = settings.weight_image if is_renderer else settings.weight_3dmm
    table |= {"asccl_weight": weight * supervision.weight_scale, "temporal_weight": supervision.temporal_weight}
    table |= {"heads": supervision.heads, "daas": supervision.daas}
    if is_renderer:
        table["asccl_on"] = supervision.asccl_on
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
                _train(settings, job)
        except Exception as error:
            traceback.print_exc(file=file)
            raise AblationError(f"{job.name} failed ({error})", f"see {log}; the same command continues") from error
    return monotonic() - start


def _train(settings: AblateSettings, job: TrainingJob) -> None:
    """Train a network, unless only its measures are missing."""
    job_settings = training_settings(settings, job)
    if isinstance(job_settings, RendererSettings):
        train_renderer.main(job_settings)
        return
    if not job.target.exists():
        train_manipulator.main(job_settings)
    head = load_anny_head()
    if settings.data is None:
        cases = synthetic_coefficient_cases(job.seed, settings.sequences)
    else:
        amount = settings.frames, settings.cases_per_emotion
        recorded = recorded_cases(settings.data, settings.person, *amount, FaceSurface(head))
        cases = [coefficient_case(case) for case in recorded]
    values = measure_manipulator(load_manipulator(job.target), cases, head)
    score = {"family": "manipulator", "seed": job.seed, "setting": INTRA_ID, "row": job.supervision, **values}
    file = score_file(settings, job)
    write_atomic(file, json.dumps(score).encode())


def run_jobs(settings: AblateSettings, jobs: Sequence[AblationJob]) -> list[str]:
    """Run all jobs, even if some fail, and return the names of those that failed."""
    function = partial(run_job, settings)
    results = run_in_processes(function, jobs, settings.jobs) if settings.jobs else run_serially(function, jobs)
    failed = []
    for number, (job, seconds, error) in enumerate(results):
        if error is not None:
            failed.append(job.name)
        print(f"{number + 1}/{len(jobs)} {job.name}: {f'{seconds:.0f} s' if error is None else error}", flush=True)
    return failed


def read_all_scores(settings: AblateSettings) -> list[dict[str, Any]]:
    """Read the scores of everything that is finished."""
    alone = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted((settings.output / "alone").glob("*.json"))
    ]
    files = [score_settings(settings, ScoringJob(seed)).scores for seed in range(settings.renderer_seeds)]
    return alone + [score for file in files for score in read_scores(file)]


def run_parts(settings: AblateSettings) -> list[str]:
    """Run the parts that are missing and return the names of those that failed."""
    failed = []
    if settings.part in ("all", "manipulators"):
        failed += run_jobs(settings, plan_trainings(settings, "manipulator"))
    if settings.part in ("all", "renderers"):
        missing = plan_trainings(settings, "renderer")
        for seed in range(settings.renderer_seeds):
            failed += run_jobs(settings, [job for job in missing if job.seed == seed])
            failed += run_jobs(settings, [ScoringJob(seed)])
            report.write_report(read_all_scores(settings), settings.output)
    return failed


def main(settings: AblateSettings) -> None:
    """Run an ablation, or the parts of it that are missing. Raises AscclError."""
    if settings.data is not None and not settings.person:
        raise SettingError("--person is missing", "give the person on whom the renderers are trained")
    if not 1 <= settings.renderer_seeds <= settings.manipulator_seeds <= MAX_SEEDS:
        raise SettingError(
            f"{settings.renderer_seeds} renderer_seeds and {settings.manipulator_seeds} manipulator_seeds do not fit",
            f"give 1 to {MAX_SEEDS}, and at least as many manipulator_seeds",
        )
    if settings.sequences > MAX_TEST_SEQUENCES:
        raise SettingError(f"{settings.sequences} sequences are too many", f"give {MAX_TEST_SEQUENCES} or fewer")
    (settings.output / "logs").mkdir(parents=True, exist_ok=True)
    failed = run_parts(settings)
    scores = read_all_scores(settings)
    report.write_report(scores, settings.output)
    print((settings.output / report.TABLE_FILE).read_text(encoding="utf-8"))
    if failed:
        raise AblationError(
            f"{len(failed)} jobs failed, first {failed[0]}",
            f"see {settings.output / 'logs'}, then run the same command again",
        )
