import pytest
from recordings import HEAD

from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes
from asccl.types import EMOTIONS
from training.manipulator_eval import evaluate_held_out, measure_mean_styles

JAW = HEAD.index["jawOpen"]


@pytest.fixture
def identity() -> Manipulator:
    """A manipulator that returns its input."""
    net = Manipulator(ManipulatorSizes(width=16, residual=True)).freeze()
    net.generator.seq2[-1].weight.zero_()
    net.generator.seq2[-1].bias.zero_()
    return net


def test_a_network_that_returns_its_input_errs_as_a_copy_does(identity, synthetic_windows, recorded_windows):
    for windows in (synthetic_windows, recorded_windows["Ann"]):
        metrics = evaluate_held_out(identity, windows, JAW)
        assert metrics["error"] == pytest.approx(metrics["copy_error"])
        assert metrics["mouth_correlation"] == pytest.approx(1)


def test_without_partners_there_is_no_error(identity, recorded_windows):
    metrics = evaluate_held_out(identity, recorded_windows["Bob"], JAW)
    assert metrics.keys() == {"mouth_correlation", "style_found"}


def test_only_emotions_with_sequences_get_another_mean_style(identity, synthetic_windows):
    emotions = {synthetic_windows.sequence(n)[3] for n in range(6)}
    styles = measure_mean_styles(identity, synthetic_windows)
    assert {e for e in range(len(EMOTIONS)) if styles[e].abs().sum() > 0} == emotions
