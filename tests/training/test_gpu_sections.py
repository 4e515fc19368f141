"""The sections of `python -m benchmarks gpu`, in their smallest sizes on the CPU."""

from __future__ import annotations

from argparse import Namespace

import pytest

from benchmarks import gpu
from benchmarks.gpu_sections import SECTIONS

ROWS = {
    "loss": "loss, batch 1, bf16: images per second",
    "renderer-inference": "renderer at 32 px, 8 at a time, bf16: frames per second",
    "renderer-training": "renderer training, psnr after",
    "icface": "icface training, ms per step",
    "metric": "metric training, 3 pairs, bf16: pairs per second",
}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_measures_on_a_cpu(section, tmp_path):
    options = Namespace(seconds=0.0, device="cpu", inputs=tmp_path / "none", output=tmp_path, tiny=True)
    assert SECTIONS[section](options)[ROWS[section]] > 0


def test_every_section_of_the_command_is_measured():
    assert set(gpu.SECTIONS) == {"tests", *SECTIONS}


def test_a_section_that_fails_costs_only_its_own_rows(tmp_path):
    options = Namespace(device="cpu", inputs=tmp_path, output=tmp_path, tiny=True)
    assert list(gpu.run_section("loss", 0.01, options)) == ["loss: failed"]
