import json

import pytest

from asccl.errors import InputError
from training.plot_log import held_out_names, plot_curves, read_curves


def test_a_log_is_read_as_one_curve_per_name(tmp_path):
    lines = [{"step": 1, "metric/regions": 2.0}, {"step": 2, "metric/regions": 1.5, "corresponding": 0.9}]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_curves(log) == {"metric/regions": [(1, 2.0), (2, 1.5)], "corresponding": [(2, 0.9)]}


def test_every_curve_is_plotted(tmp_path):
    plot_curves({"metric/regions": [(1, 2.0), (2, 1.5)], "corresponding": [(2, 0.9)]}, tmp_path / "log.svg")
    text = (tmp_path / "log.svg").read_text()
    assert text.startswith("<?xml")
    assert "metric/regions" in text
    assert "corresponding" in text


def test_metrics_of_settings_are_values_on_held_out_data():
    curves = {"intra/psnr": [(0, 20.0), (2, 21.0)], "intra/mouth": [(2, 0.5)], "animator/psnr": [(1, 1.0)]}
    assert held_out_names(curves) == {"intra/psnr", "intra/mouth"}


def test_a_folder_without_a_log_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"there is no .*log\.jsonl: give the --output folder"):
        read_curves(tmp_path / "log.jsonl")
