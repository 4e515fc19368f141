"""Loading models by name."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from asccl import zoo
from asccl.errors import WeightsError


def test_a_model_is_loaded_once_by_many_threads_and_frozen():
    zoo._load_embedder.cache_clear()
    barrier = threading.Barrier(4)

    def load(_):
        barrier.wait()
        return zoo.load_embedder()

    with ThreadPoolExecutor(4) as pool:
        models = set(pool.map(load, range(4)))
    assert models == {zoo.load_embedder("mobilefacenet-arcface", device="cpu")}
    for model in (*models, zoo.load_expression_net()):
        model.net.train()
        assert not any(part.training for part in model.net.modules())
        assert not any(parameter.requires_grad for parameter in model.net.parameters())


def test_unknown_names_and_names_of_other_networks_are_refused():
    with pytest.raises(WeightsError, match="choose one of"):
        zoo.load_embedder("arcnet")
    with pytest.raises(WeightsError, match=r"expression-faceapi\.safetensors has other tensors than this network"):
        zoo.load_embedder("expression-faceapi")


def test_weights_that_are_no_metric_are_refused_before_they_are_read(monkeypatch):
    monkeypatch.setattr("asccl.hub.resolve", lambda _: pytest.fail("read"))
    with pytest.raises(WeightsError, match="head-anny is not a metric: choose scc-mobilefacenet"):
        zoo.load_metric("head-anny")


def test_only_some_networks_of_visitors_stay_in_memory(tmp_path):
    from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes

    for number in range(zoo.MAX_LOADED + 2):
        net = Manipulator(ManipulatorSizes(width=8))
        zoo.load_manipulator(net.save_pretrained(tmp_path / str(number)) / "model.safetensors")
    assert zoo._load_manipulator.cache_info().currsize == zoo.MAX_LOADED
