import json

from training.plot_log import draw, read


def test_every_curve_is_drawn(tmp_path):
    rows = [{"step": 1, "metric/regions": 2.0}, {"step": 2, "metric/regions": 1.5, "corresponding": 0.9}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    curves = read(tmp_path / "log.jsonl")
    assert curves == {"metric/regions": [(1, 2.0), (2, 1.5)], "corresponding": [(2, 0.9)]}
    draw(curves, tmp_path / "log.svg")
    text = (tmp_path / "log.svg").read_text()
    assert text.startswith("<?xml") and "metric/regions" in text and "corresponding" in text
