"""Draw what a training logged: `python -m training.plot_log build/metric` writes log.svg there; losses on the left,
what was measured on held-out data on the right."""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot


def read(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Name -> (step, value) of everything in a log of JSON lines."""
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        step = row.pop("step")
        for name, value in row.items():
            curves[name].append((step, value))
    return dict(curves)


def draw(curves: dict[str, list[tuple[int, float]]], to: Path) -> None:
    """Losses have a slash in their name."""
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name, points in curves.items():
        panels[int("/" not in name)].plot(*zip(*points, strict=True), label=name, marker="" if "/" in name else ".")
    for panel, title in zip(panels, ("losses", "held out"), strict=True):
        panel.set(title=title, xlabel="step")
        if panel.lines:
            panel.legend(frameon=False)
        panel.grid(alpha=0.3)
    figure.savefig(to, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    draw(read(folder / "log.jsonl"), folder / "log.svg")
    print(folder / "log.svg")


if __name__ == "__main__":
    main()
