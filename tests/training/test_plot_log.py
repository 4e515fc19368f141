import json

from training.plot_log import plot_curves, read_curves


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
