"""The manipulator's losses and training, very small."""

from pathlib import Path

import pytest
import torch
from recordings import HEAD, word_coefficients, write_recording
from safetensors.torch import load_file
from torch.utils.data import default_collate
from training_runs import run_module

from asccl import hub
from asccl.data.labels import Labels
from asccl.errors import WeightsError
from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes
from asccl.types import EMOTIONS
from asccl.zoo import create_metric
from training.datasets.recorded import RecordedWindows, load_labelled_clips
from training.datasets.windows import ManipulatorWindow, SyntheticWindows
from training.engine.settings import load_preset
from training.train_manipulator import (
    ManipulatorObjective,
    ManipulatorSettings,
    RenderedASCCLLoss,
    evaluate_held_out,
    main,
    mean_styles,
)

JAW = HEAD.index["jawOpen"]


def smoke_settings(folder: Path, name: str, **changes: object) -> ManipulatorSettings:
    paths = {"output": folder / name, "weights": folder / f"{name}.safetensors"}
    return ManipulatorSettings(**load_preset(ManipulatorSettings, "smoke") | paths | changes)


def identity_manipulator() -> Manipulator:
    """A manipulator that returns its input."""
    net = Manipulator(ManipulatorSizes(width=16, residual=True)).freeze()
    net.generator.seq2[-1].weight.zero_()
    net.generator.seq2[-1].bias.zero_()
    return net


@pytest.fixture(scope="module")
def data() -> SyntheticWindows:
    return SyntheticWindows(3, 6)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> dict[str, RecordedWindows]:
    """Windows of Ann, who says one text with three emotions, and of Bob, who says two texts with one emotion each."""
    folder = tmp_path_factory.mktemp("recorded")
    for number, emotion in enumerate(("neutral", "happy", "sad")):
        write_recording(folder, Labels("Ann", emotion, "1"), word_coefficients(1), number)
    for number, emotion in enumerate(("neutral", "angry")):
        write_recording(folder, Labels("Bob", emotion, str(number)), word_coefficients(10 + number), 20 + number)
    return {person: RecordedWindows(0, load_labelled_clips(folder, HEAD, person)) for person in ("Ann", "Bob")}


@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("adversarial", "mapping_network"),
        ("style", "style_encoder"),
        ("cycle", "style_encoder"),
        ("paired", "style_encoder"),
        ("mouth_forward", "generator"),
    ],
)
def test_every_loss_reaches_its_network(data, name, network):
    net = Manipulator(ManipulatorSizes(width=64, residual=True))
    batch = default_collate([data[i] for i in range(4)])
    values = ManipulatorObjective(net, JAW)(batch, torch.Generator().manual_seed(0), net.discriminator, True)
    values[name].backward()
    assert sum(p.grad.abs().sum() for p in getattr(net, network).parameters() if p.grad is not None) > 0


def test_the_paired_loss_does_not_change_the_others(data):
    net = Manipulator(ManipulatorSizes(width=16, residual=True))
    batch = default_collate([data[i] for i in range(4)])
    paired, unpaired = (
        ManipulatorObjective(net, JAW)(batch, torch.Generator().manual_seed(0), net.discriminator, paired)
        for paired in (True, False)
    )
    assert paired.keys() - unpaired.keys() == {"paired"}
    assert paired["cycle"] == unpaired["cycle"]


def test_only_windows_with_a_partner_have_a_paired_loss(recorded):
    net = Manipulator(ManipulatorSizes(width=16, residual=True))
    paired, unpaired = recorded["Ann"][0], recorded["Bob"][0]

    def paired_loss(*windows: ManipulatorWindow) -> float:
        batch = default_collate(windows)
        return ManipulatorObjective(net, JAW)(batch, torch.Generator(), net.discriminator, True)["paired"].item()

    torch.manual_seed(0)
    assert paired_loss(unpaired, unpaired) == 0 < paired_loss(paired, unpaired) < paired_loss(paired, paired)


def test_rendered_asccl_reaches_one_frame_of_each_generated_sequence_and_nothing_else(data):
    loss = RenderedASCCLLoss(HEAD, create_metric())
    source = torch.stack([data[0].source, data[1].source])
    generated = torch.stack([data[0].target, data[1].target]).requires_grad_()
    assert all(not p.requires_grad for p in loss.parameters())
    value = loss(source, generated, torch.Generator().manual_seed(0))
    value.backward()
    frames = generated.grad.abs().sum(-1)
    assert ((frames > 0).sum(1) == 1).all()
    assert value > loss(source, source, torch.Generator().manual_seed(0))


def test_a_network_that_returns_its_input_errs_as_a_copy_does(data, recorded):
    for windows in (data, recorded["Ann"]):
        metrics = evaluate_held_out(identity_manipulator(), windows, JAW)
        assert metrics["error"] == pytest.approx(metrics["copy_error"])
        assert metrics["mouth_correlation"] == pytest.approx(1)


def test_without_partners_there_is_no_error(recorded):
    metrics = evaluate_held_out(identity_manipulator(), recorded["Bob"], JAW)
    assert metrics.keys() == {"mouth_correlation", "style_found"}


def test_an_emotion_without_sequences_keeps_its_mean_style(data):
    net = identity_manipulator()
    emotions = {data.sequence(n)[3] for n in range(6)}
    styles = mean_styles(net, data)
    assert all((styles[e].abs().sum() > 0) == (e in emotions) for e in range(7))


def test_one_command_makes_the_same_file_twice(tmp_path):
    contents = []
    for name in ("a", "b", "b"):  # the last run finds all steps done and only writes the weights
        settings = smoke_settings(tmp_path, name)
        main(settings)
        contents.append(settings.weights.read_bytes())
    assert contents[0] == contents[1] == contents[2]
    assert (tmp_path / "a" / "log.jsonl").read_text().count("copy_error") == 3  # at the start, half way, at the end


def test_the_file_has_metadata_and_mean_styles(tmp_path):
    settings = smoke_settings(tmp_path, "a", steps=1)
    main(settings)
    metadata = hub.read_metadata(settings.weights)
    assert ManipulatorSizes.from_metadata(metadata) == ManipulatorSizes(width=16, residual=True)
    assert metadata["space"] == "arkit"
    assert metadata["emotions"] == ",".join(EMOTIONS)
    assert load_file(settings.weights)["mean_style"].abs().sum() > 0


@pytest.mark.parametrize("metric", ["ned-manipulator", "nowhere.safetensors"])
def test_a_metric_of_another_kind_is_refused(tmp_path, metric):
    with pytest.raises(WeightsError, match=metric):
        main(smoke_settings(tmp_path, "a", asccl_weight=1.0, metric=metric))


def test_a_wrong_setting_is_reported_in_one_line(tmp_path):
    options = ["--preset", "smoke", "--output", str(tmp_path), "--data", str(tmp_path / "nowhere")]
    process = run_module("training.train_manipulator", *options)
    assert process.returncode == 3
    assert process.stderr.count("\n") == 1
    assert "nowhere holds no clips: make them" in process.stderr
