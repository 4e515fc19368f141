"""What manipulators say by themselves, without the rules that spare speech in an edit: as the ablation judges them.

    python -m benchmarks.manipulator_alone FILE ... [--sequences 100] [--json FILE]

Synthetic speakers that no training saw say the same words with two emotions; 40 frames are edited in the style of the
other 40. For each file: correlation of the lips' opening with the truth's, distance of the lips' points in percent of
the eye distance, of the coefficients, and the share of edits whose style is nearest to the wanted emotion's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from asccl.morphable.anny_head import load_anny_head
from asccl.nets.ned_manipulator import encode_style, translate
from asccl.synthetic.speech import MAX_COEFFICIENT
from asccl.zoo import load_manipulator
from benchmarks.manipulator import EDITED
from benchmarks.report import print_rows
from training.ablation.measures import coefficient_metrics
from training.datasets.windows import SyntheticWindows

SEED = 6_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--sequences", type=int, default=100)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    head, data = load_anny_head(), SyntheticWindows(SEED, arguments.sequences)
    drawn = [data.sequence(number) for number in range(arguments.sequences)]
    for file in arguments.files:
        net = load_manipulator(file)
        made, near = [], []
        for source, target, _, emotion in drawn:
            style = encode_style(net.style_encoder, torch.from_numpy(target[EDITED:]))
            edit = translate(net.generator, torch.from_numpy(source[:EDITED]), style).clamp(0, MAX_COEFFICIENT)
            found = (net.mean_style - encode_style(net.style_encoder, edit)).square().sum(1).argmin()
            made.append(edit.numpy())
            near.append(int(found) == emotion)
        rows: dict[str, float | str] = {"file": file.stem}
        rows |= coefficient_metrics(made, [target[:EDITED] for _, target, _, _ in drawn], head)
        print_rows("manipulator_alone", rows | {"style found": sum(near) / len(near)}, arguments.json)


if __name__ == "__main__":
    main()
