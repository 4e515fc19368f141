import os
import sys
from types import SimpleNamespace

import pytest

from asccl.errors import InputError, SettingError
from tests.training.worker_job import square
from training.preprocess.workers import JobResult, WorkerDiedError, run_in_processes, run_on_ray, run_serially


@pytest.fixture(scope="module")
def results() -> dict[int, JobResult]:
    return {result.job: result for result in run_in_processes(square, range(6), 2)}


def test_the_other_jobs_have_values(results):
    values = {number: result.value for number, result in results.items() if result.error is None}
    assert values == {0: 0, 1: 1, 2: 4, 4: 16}


def test_a_worker_that_dies_costs_its_own_job_alone(results):
    assert isinstance(results[3].error, WorkerDiedError)
    assert "its worker died" in str(results[3].error)


def test_an_error_crosses_processes_unchanged(results):
    assert isinstance(results[5].error, InputError)
    assert str(results[5].error) == "job 5 is no good: leave it out"


def test_in_one_process_a_failed_job_does_not_stop_the_others():
    assert [result.value for result in run_serially(square, [5, 6])] == [None, 36]


def test_a_local_ray_cluster_does_not_report_its_use(monkeypatch):
    settings = {}

    def init(**arguments):
        settings.update(arguments, usage=os.environ["RAY_USAGE_STATS_ENABLED"])
        raise RuntimeError("this Ray only records how it is started")

    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    with pytest.raises(SettingError):
        next(run_on_ray(square, [1], "local"))
    assert (settings["usage"], settings["include_dashboard"]) == ("0", False)
