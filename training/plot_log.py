"""Draw the log of a training: `python -m training.plot_log build/metric` writes log.svg into that folder.

Losses are on the left, metrics on held-out data on the right.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

from asccl.errors import AscclError, InputError
from training.engine.settings import program_name

Curves = dict[str, list[tuple[int, float]]]


def read_curves(path: Path) -> Curves:
    """Read a log of JSON lines: name -> (step, value) of every logged value. Raises InputError without a log."""
    if not path.is_file():
        raise InputError(f"there is no {path}", "give the --output folder of a training that has started")
    curves: Curves = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        step = values.pop("step")
        for name, value in values.items():
            curves[name].append((step, value))
    return dict(curves)


def held_out_names(curves: Curves) -> set[str]:
    """Return the names of values on held-out data, alone or as "setting/metric"; the others are losses "phase/loss".

    Only an evaluation logs values of step 0, with all its settings.
    """
    settings = {name.rpartition("/")[0] for name, points in curves.items() if points[0][0] == 0}
    return {name for name in curves if "/" not in name or name.rpartition("/")[0] in settings}


def plot_curves(curves: Curves, path: Path) -> None:
    """Write an SVG with two panels, losses and values on held-out data."""
    held_out = held_out_names(curves)
    figure, panels = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for name, points in curves.items():
        is_held_out = name in held_out
        panels[int(is_held_out)].plot(*zip(*points, strict=True), label=name, marker="." if is_held_out else "")
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
    try:
        plot_curves(read_curves(folder / "log.jsonl"), folder / "log.svg")
    except AscclError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_status)
    print(folder / "log.svg")


if __name__ == "__main__":
    main()
