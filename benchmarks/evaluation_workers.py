"""Measure the bundled edits with one and with two workers: seconds, and whether the results are equal.

python -m benchmarks.evaluation_workers [--json FILE]

The jobs are those of `training.tables`: one job for each clip and method and one for each real video. They run in
processes, and on a Ray cluster of this machine where Ray is installed. Workers start anew each time, so that every row
includes their start and the loading of the networks.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from asccl.evaluation.manifest import EvaluationRow
from asccl.evaluation.run import pool_videos
from asccl.evaluation.shards import Shard
from benchmarks.report import print_rows
from training.evaluation.tables import MeasureJob, load_toolbox, run_measure_job
from training.preprocess.workers import JobResult, run_in_processes, run_on_ray

EXAMPLES = Path(__file__).parent.parent / "examples"
WORKERS = (1, 2)


def example_rows() -> list[EvaluationRow]:
    """Return a row for each bundled edit of a video."""
    rows = []
    for edited in sorted(EXAMPLES.glob("*-*.mp4")):
        speaker, _, emotion = edited.stem.partition("-")
        source = str(EXAMPLES / f"{speaker}.mp4")
        rows.append(EvaluationRow(edited.stem, "intra-id", source, emotion, speaker, "warp", str(edited)))
    return rows


def run_jobs(results: Iterable[JobResult[MeasureJob, Shard]], folder: Path) -> dict[str, bytes]:
    """Run jobs and return the files of their results by name. Raises the error of a job that failed."""
    for result in results:
        if result.error is not None:
            raise result.error
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def measure_workers(rows: list[EvaluationRow]) -> dict[str, float | str]:
    """Return seconds of every kind and number of workers, and whether all results are equal."""
    pool = pool_videos(rows, load_toolbox(()).measures)
    seconds: dict[str, float | str] = {}
    files = []
    for kind in ("processes", "Ray") if importlib.util.find_spec("ray") else ("processes",):
        for workers in WORKERS:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                jobs = [MeasureJob(None, video, folder, ()) for video in pool]
                jobs += [MeasureJob(row, "", folder, ()) for row in rows]
                start = time.monotonic()
                if kind == "Ray":
                    results = run_on_ray(run_measure_job, jobs, "local", workers)
                else:
                    results = run_in_processes(run_measure_job, jobs, workers)
                files.append(run_jobs(results, folder))
                seconds[f"{kind}, workers: {workers}, s"] = time.monotonic() - start
                print(f"  {kind}, workers: {workers}: {len(jobs)} jobs", flush=True)
    return {**seconds, "results are equal": "yes" if all(other == files[0] for other in files) else "no"}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also append the JSON line to this file")
    arguments = parser.parse_args()
    print_rows("evaluation workers", measure_workers(example_rows()), arguments.json)


if __name__ == "__main__":
    main()
