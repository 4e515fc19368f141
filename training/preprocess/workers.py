"""One function over many jobs: in this process, in several, or on a Ray cluster. A worker that dies, or a job that
fails, costs that job alone."""

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

J, R = TypeVar("J"), TypeVar("R")
DIED = "give it more memory, or look at this job alone with --workers 0"
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerDiedError(AscclError):
    """The process that did a job is gone, and with it the job."""


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Done(NamedTuple, Generic[J, R]):
    """One job's end: its value, or the error that ended it."""

    job: J
    value: R | None
    error: BaseException | None


def here(function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[Done[J, R]]:
    """One after another, in this process."""
    for job in jobs:
        try:
            yield Done(job, function(job), None)
        except Exception as error:  # whatever it is, it is this job's: it is told, and the others go on
            yield Done(job, None, error)


def in_processes(function: Callable[[J], R], jobs: Iterable[J], workers: int) -> Iterator[Done[J, R]]:
    """As they are done. When a worker dies, those that were at work are tried again, each alone."""
    waiting = deque(jobs)
    while waiting:
        for job in (yield from _pool(function, waiting, workers)):
            for _ in (yield from _pool(function, deque([job]), 1)):
                yield Done(job, None, WorkerDiedError("its worker died", DIED))


def _pool(function: Callable[[J], R], waiting: deque[J], workers: int) -> Generator[Done[J, R], None, list[J]]:
    """Until all are done, or a worker dies; returns the jobs that were at work then."""
    running: dict[Future[R], J] = {}
    spawn = multiprocessing.get_context("spawn")  # threads and networks of this process are not to be copied
    with _one_thread_each(), ProcessPoolExecutor(workers, spawn, _alone) as pool:
        while waiting or running:
            while waiting and len(running) < workers:
                job = waiting.popleft()
                try:
                    running[pool.submit(function, job)] = job
                except BrokenProcessPool:  # a worker died since the last look
                    return [job, *running.values()]
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    return list(running.values())
                yield Done(running.pop(future), None if error else future.result(), error)
    return []


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that are started meanwhile have a core to themselves."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name in THREADS:
            os.environ.pop(name)
        os.environ.update({name: before[name] for name in THREADS if name in before})


def _alone() -> None:
    """A worker's start: one thread, no Ctrl-C of its own, and no life beyond its parent's, even a killed one's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def on_ray(function: Callable[[J], R], jobs: Iterable[J], address: str) -> Iterator[Done[J, R]]:
    """On a cluster, as they are done; two jobs wait for each core. address: as `ray.init` has it: "auto", "local" for a
    cluster on this machine, "ray://HOST:10001". Raises SettingError."""
    try:
        import ray
    except ImportError:
        raise SettingError("Ray is not installed", "pip install ray, or leave out --ray") from None
    try:
        ray.init(address=address, log_to_driver=False, ignore_reinit_error=True)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise SettingError(f"there is no Ray cluster at {address} ({error})", "start one: ray start --head") from error
    task = ray.remote(num_cpus=1, max_retries=0)(function)
    most = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
    waiting, running = deque(jobs), {}
    try:
        while waiting or running:
            while waiting and len(running) < most:
                job = waiting.popleft()
                running[task.remote(job)] = job
            for reference in ray.wait(list(running), num_returns=1)[0]:
                yield _fetched(ray, reference, running.pop(reference))
    finally:
        ray.shutdown()


def _fetched(ray: Any, reference: Any, job: J) -> Done[J, Any]:
    try:
        return Done(job, ray.get(reference), None)
    except ray.exceptions.RayTaskError as error:
        return Done(job, None, error.cause)
    except ray.exceptions.RayError as error:
        return Done(job, None, WorkerDiedError(f"its worker died ({type(error).__name__})", DIED))
