"""Draw the log of a training: `python -m training.plot_log build/metric` writes log.svg into that folder.

Losses are on the left, metrics on held-out data on the right.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

from training.engine.settings import program_name

Curves = dict[str, list[tuple[int, float]]]


def read_curves(path: Path) -> Curves:
    """Read a log of JSON lines: name -> (step, value) of every logged value."""
    curves: Curves = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        step = values.pop("step")
        for name, value in values.items():
            curves[name].append((step, value))
    return dict(curves)


def plot_curves(curves: Curves, path: Path) -> None:
    """Write an SVG with two panels; losses are the names with a slash."""
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name, points in curves.items():
        is_loss = "/" in name
        panels[0 if is_loss else 1].plot(*zip(*points, strict=True), label=name, marker="" if is_loss else ".")
    for panel, title in zip(panels, ("losses", "held out"), strict=True):
        panel.set(title=title, xlabel="step")
        if panel.lines:
            panel.legend(frameon=False)
        panel.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog=program_name(), description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="output folder of the training")
    folder = parser.parse_args().folder
    plot_curves(read_curves(folder / "log.jsonl"), folder / "log.svg")
    print(folder / "log.svg")


if __name__ == "__main__":
    main()
