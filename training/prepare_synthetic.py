"""Render pairs beforehand, for a trainer that would wait for them. Goes on where it was stopped.

python -m training.prepare_synthetic --count 10000 --out build/synthetic
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
from tqdm import tqdm

from asccl.data.stored import INDEX, SHARD, write_shard
from asccl.errors import AscclError, SettingError
from asccl.face.crop import CROP_SIZE
from asccl.synthetic.datasets import SyntheticPairs


@dataclass(frozen=True)
class Recipe:
    """What decides a set; arguments of `SyntheticPairs`. shard: pairs a file."""

    seed: int = 0
    size: int = CROP_SIZE
    count: int = 10_000
    frames_per_person: int = 8
    shard: int = SHARD


def make_shard(job: tuple[Recipe, Path, int]) -> int:
    """Renders one shard; returns how many pairs it holds."""
    recipe, folder, number = job
    cv2.setNumThreads(1)
    pairs = SyntheticPairs(recipe.seed, recipe.size, recipe.count, recipe.frames_per_person)
    first = number * recipe.shard
    items = [pairs[i] for i in range(first, min(first + recipe.shard, recipe.count))]
    write_shard(items, folder, number)
    return len(items)


def prepare(recipe: Recipe, folder: Path, processes: int = 1) -> None:
    """Makes what is missing; the index comes last, so that only a whole set can be read. Raises SettingError where the
    folder holds another set."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = folder / "recipe.json"
    if plan.exists() and json.loads(plan.read_text(encoding="utf-8")) != asdict(recipe):
        raise SettingError(f"{folder} holds pairs of another recipe", "give another folder, or delete this one")
    plan.write_text(json.dumps(asdict(recipe)), encoding="utf-8")
    shards = -(-recipe.count // recipe.shard)
    missing = [(recipe, folder, n) for n in range(shards) if not (folder / f"shard-{n:05d}.npz").exists()]
    with tqdm(
        total=recipe.count, initial=min(recipe.count, (shards - len(missing)) * recipe.shard), unit="pair"
    ) as bar:
        if processes == 1:
            for job in missing:
                bar.update(make_shard(job))
        else:
            with get_context("spawn").Pool(processes) as pool:
                for done in pool.imap_unordered(make_shard, missing):
                    bar.update(done)
    (folder / INDEX).write_text(json.dumps(asdict(recipe)), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/synthetic"))
    parser.add_argument("--processes", type=int, default=1, help="how many render at once")
    for name, value in asdict(Recipe()).items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=value)
    values = vars(parser.parse_args())
    folder, processes, recipe = values.pop("out"), values.pop("processes"), Recipe(**values)
    if min(recipe.seed + 1, recipe.size, recipe.count, recipe.frames_per_person, recipe.shard, processes) < 1:
        parser.error("every number must be 1 or more, the seed 0 or more")
    try:
        prepare(recipe, folder, processes)
    except AscclError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
