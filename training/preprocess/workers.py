"""Run one function over many jobs: in this process, in several processes, or on a Ray cluster.

A job that fails, or a worker that dies, costs that job alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, TypeVar

import cv2

from asccl.errors import AscclError, SettingError

Job = TypeVar("Job")
Value = TypeVar("Value")
DIED_REMEDY = "give it more memory, or run this job alone with --workers 0"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
RAY_JOBS_PER_CORE = 2  # submitted at once, so that no core waits


class WorkerDiedError(AscclError):
    """The process that ran a job has died."""


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class JobResult(NamedTuple, Generic[Job, Value]):
    """Result of one job: its value, or the error that ended it."""

    job: Job
    value: Value | None
    error: BaseException | None


def run_serially(function: Callable[[Job], Value], jobs: Iterable[Job]) -> Iterator[JobResult[Job, Value]]:
    """Run one job after the other in this process."""
    for job in jobs:
        try:
            yield JobResult(job, function(job), None)
        except Exception as error:  # any error belongs to this job: it is reported, and the others continue
            yield JobResult(job, None, error)


def run_in_processes(
    function: Callable[[Job], Value], jobs: Iterable[Job], workers: int
) -> Iterator[JobResult[Job, Value]]:
    """Run jobs in several processes. When a worker dies, the jobs that were running are repeated, each alone.

    Args:
        function: a function that a new process can import.
        jobs: its arguments.
        workers: number of processes.

    Returns:
        Results in the order in which jobs end.
    """
    waiting = deque(jobs)
    while waiting:
        for job in (yield from _run_pool(function, waiting, workers)):
            for _ in (yield from _run_pool(function, deque([job]), 1)):
                yield JobResult(job, None, WorkerDiedError("its worker died", DIED_REMEDY))


def _run_pool(
    function: Callable[[Job], Value], waiting: deque[Job], workers: int
) -> Generator[JobResult[Job, Value], None, list[Job]]:
    """Run until all jobs are done or a worker dies; return the jobs that were running then."""
    running: dict[Future[Value], Job] = {}
    spawn = multiprocessing.get_context("spawn")  # threads and networks of this process must not be copied
    with _single_threaded_children(), ProcessPoolExecutor(workers, spawn, _start_worker) as pool:
        while waiting or running:
            while waiting and len(running) < workers:
                job = waiting.popleft()
                try:
                    running[pool.submit(function, job)] = job
                except BrokenProcessPool:  # a worker has died since the last check
                    return [job, *running.values()]
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    return list(running.values())
                yield JobResult(running.pop(future), None if error else future.result(), error)
    return []


@contextmanager
def _single_threaded_children() -> Iterator[None]:
    """Let processes that are started meanwhile use one thread each."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name in THREAD_VARIABLES:
            os.environ.pop(name)
        os.environ.update({name: before[name] for name in THREAD_VARIABLES if name in before})


def _start_worker() -> None:
    """Prepare a worker: one thread, Ctrl-C ignored, and an end with its parent, even a killed one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def exit_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()


def run_on_ray(
    function: Callable[[Job], Value], jobs: Iterable[Job], address: str, cores: int | None = None
) -> Iterator[JobResult[Job, Value]]:
    """Run jobs on a Ray cluster.

    Args:
        function: a function that the machines of the cluster can import.
        jobs: its arguments.
        address: as for `ray.init`: "auto", "local" for a cluster on this machine, or "ray://HOST:10001".
        cores: of a cluster on this machine; None takes all.

    Returns:
        Results in the order in which jobs end.

    Raises:
        SettingError: Ray is not installed, or there is no cluster at this address.
    """
    try:
        import ray
    except ImportError:
        raise SettingError("Ray is not installed", "pip install ray, or leave out --ray") from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # by default a new cluster reports its use to Ray's makers
    options = {"include_dashboard": False, "num_cpus": cores} if address == "local" else {}
    try:
        ray.init(address=address, log_to_driver=False, ignore_reinit_error=True, **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise SettingError(
            f"there is no Ray cluster at {address} ({error})", "start one: ray start --head --disable-usage-stats"
        ) from error
    task = ray.remote(num_cpus=1, max_retries=0)(function)
    max_running = RAY_JOBS_PER_CORE * max(1, int(ray.cluster_resources().get("CPU", 1)))
    waiting = deque(jobs)
    running: dict[Any, Job] = {}
    try:
        while waiting or running:
            while waiting and len(running) < max_running:
                job = waiting.popleft()
                running[task.remote(job)] = job
            for reference in ray.wait(list(running), num_returns=1)[0]:
                yield _ray_result(ray, reference, running.pop(reference))
    finally:
        ray.shutdown()


def _ray_result(ray: Any, reference: Any, job: Job) -> JobResult[Job, Any]:
    try:
        return JobResult(job, ray.get(reference), None)
    except ray.exceptions.RayTaskError as error:
        return JobResult(job, None, error.cause)
    except ray.exceptions.RayError as error:
        return JobResult(job, None, WorkerDiedError(f"its worker died ({type(error).__name__})", DIED_REMEDY))
