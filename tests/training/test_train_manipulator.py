"""The manipulator's losses and training, very small."""

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.data import default_collate

from asccl import hub
from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes
from asccl.types import EMOTIONS
from asccl.zoo import create_metric
from training import losses
from training.datasets.windows import SEQUENCE_FRAMES, SyntheticWindows
from training.engine.settings import load_preset
from training.train_manipulator import (
    ManipulatorObjective,
    ManipulatorSettings,
    RenderedASCCLLoss,
    evaluate_held_out,
    main,
    mean_styles,
)

JAW = 17


@pytest.fixture(scope="module")
def data() -> SyntheticWindows:
    return SyntheticWindows(3, 6)


def test_least_squares_want_one_for_real_and_nought_for_made():
    ones, zeros = torch.ones(4), torch.zeros(4)
    assert losses.lsgan_real(ones) == 0 and losses.lsgan_real(zeros) == 1
    assert losses.lsgan_fake(zeros) == 0 and losses.lsgan_fake(2 * ones) == 4


def test_mouth_correlation_is_blind_to_scale_and_level_and_to_jaws_that_rest():
    jaw = torch.rand(5, 10, generator=torch.Generator().manual_seed(0))
    assert losses.mouth_correlation(0.5 * jaw + 0.2, jaw).item() == pytest.approx(0, abs=1e-5)
    assert losses.mouth_correlation(1 - jaw, jaw).item() == pytest.approx(2, abs=1e-5)
    jaw[1:] = 0.3
    assert losses.mouth_correlation(-jaw, jaw).item() == pytest.approx(2, abs=1e-5)
    assert losses.mouth_correlation(jaw[1:], jaw[1:]).item() == 0


def test_back_looks_from_what_was_made_which_it_does_not_move():
    made = torch.rand(2, 10, 52, requires_grad=True)
    returned = (torch.rand(2, 10, 52) + 0).requires_grad_()
    losses.mouth_back(returned, made, JAW).backward()
    assert made.grad is None and returned.grad[..., JAW].abs().sum() > 0
    assert returned.grad[..., :JAW].abs().sum() == returned.grad[..., JAW + 1 :].abs().sum() == 0
    losses.mouth_forward(made, returned.detach(), JAW).backward()
    assert made.grad[..., JAW].abs().sum() > 0


def test_windows_show_the_same_words_and_another_time(data):
    window, again = data[2], SyntheticWindows(3, 6)[2]
    assert torch.equal(window.source, again.source) and torch.equal(window.reference, again.reference)
    head = data.sequences.head
    for name in ("jawOpen", "mouthPucker", "eyeLookUpLeft"):
        i = head.index[name]
        torch.testing.assert_close(window.source[:, i], window.target[:, i])
    assert not torch.equal(window.target, window.reference)
    assert window.source_emotion != window.target_emotion
    source, target, *_ = data.sequence(2)
    assert source.shape == target.shape == (SEQUENCE_FRAMES, 52) and source.min() >= 0


def test_every_loss_reaches_what_it_should(data):
    net = Manipulator(ManipulatorSizes(width=64, residual=True))
    batch = default_collate([data[i] for i in range(4)])
    learner = ManipulatorObjective(net, data.sequences.head.index["jawOpen"])
    found = learner(batch, torch.Generator().manual_seed(0), net.discriminator, True)
    assert found.keys() == {"adversarial", "style", "cycle", "mouth_forward", "mouth_back", "paired"}
    for name, reached in (("adversarial", "mapping_network"), ("style", "style_encoder"), ("cycle", "style_encoder"),
                          ("paired", "style_encoder"), ("mouth_forward", "generator")):  # fmt: skip
        net.zero_grad()
        found[name].backward(retain_graph=True)
        assert sum(p.grad.abs().sum() for p in getattr(net, reached).parameters() if p.grad is not None) > 0, name
    plain = learner(batch, torch.Generator().manual_seed(0), net.discriminator, False)
    assert "paired" not in plain and plain["cycle"] == found["cycle"]


def test_asccl_on_pictures_reaches_what_was_made_and_nothing_else(data):
    on_pictures = RenderedASCCLLoss(data.sequences.head, create_metric())
    source = torch.stack([data[0].source, data[1].source])
    target = torch.stack([data[0].target, data[1].target]).requires_grad_()
    assert all(not p.requires_grad for p in on_pictures.parameters())
    apart = on_pictures(source, target, torch.Generator().manual_seed(0))
    apart.backward()
    frames = target.grad.abs().sum(-1)
    assert ((frames > 0).sum(1) == 1).all()  # one frame of each
    assert apart > on_pictures(source, source, torch.Generator().manual_seed(0))


def test_a_network_that_returns_its_input_errs_as_a_copy_does(data):
    net = Manipulator(ManipulatorSizes(width=16, residual=True)).freeze()
    net.generator.seq2[-1].weight.zero_()
    net.generator.seq2[-1].bias.zero_()
    told = evaluate_held_out(net, data, data.sequences.head.index["jawOpen"])
    assert told["error"] == pytest.approx(told["copy_error"]) and told["mouth_correlation"] == pytest.approx(1)
    shown = {data.sequence(n)[3] for n in range(6)}
    styles = mean_styles(net, data)
    assert all((styles[e].abs().sum() > 0) == (e in shown) for e in range(7))


def test_one_command_makes_the_same_file_twice(tmp_path):
    made = []
    for name in ("a", "b", "b"):  # the last finds all steps done and only writes
        table = load_preset(ManipulatorSettings, "smoke") | {"output": tmp_path / name}
        main(ManipulatorSettings(**table | {"weights": tmp_path / f"{name}.safetensors"}))
        made.append((tmp_path / f"{name}.safetensors").read_bytes())
    assert made[0] == made[1] == made[2]
    told = hub.read_metadata(tmp_path / "a.safetensors")
    assert ManipulatorSizes.from_metadata(told) == ManipulatorSizes(width=16, residual=True)
    assert told["space"] == "arkit" and told["emotions"] == ",".join(EMOTIONS)
    assert load_file(tmp_path / "a.safetensors")["mean_style"].abs().sum() > 0
    assert (tmp_path / "a" / "log.jsonl").read_text().count("copy_error") == 3  # at the start, half way, at the end
