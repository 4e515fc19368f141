"""Which networks are trained with which supervision, and which of them make up a row of the paper's tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stage = Literal["manipulator", "renderer"]
STAGES: tuple[Stage, ...] = ("manipulator", "renderer")


@dataclass(frozen=True)
class Supervision:
    """How ASCCL looks at a training. heads: see `load_metric`. daas: see `LossSettings`. pull: factor of its weight
    that makes its gradient as long as that of "trained" (`benchmarks/ned_cost.py` prints it, for either stage), so that
    rows differ by where it pulls and not by how hard."""

    heads: str
    daas: str
    weight_scale: dict[Stage, float]


NONE = "none"
SUPERVISIONS: dict[str, Supervision | None] = {
    NONE: None,
    "untrained": Supervision("random", "paper", {"manipulator": 0.17, "renderer": 0.34}),
    "trained": Supervision("trained", "paper", {"manipulator": 1.0, "renderer": 1.0}),
    "without DAAS": Supervision("trained", "off", {"manipulator": 1.2, "renderer": 1.3}),
    "authors' DAAS": Supervision("trained", "authors", {"manipulator": 0.9, "renderer": 0.62}),
}


@dataclass(frozen=True)
class Row:
    """manipulator, renderer: names of `SUPERVISIONS`. tables: of the paper in which it stands."""

    name: str
    manipulator: str
    renderer: str
    tables: tuple[int, ...]

    def of(self, stage: Stage) -> str:
        return self.manipulator if stage == "manipulator" else self.renderer


BASELINE = "NED"
ROWS = (
    Row(BASELINE, NONE, NONE, (4, 5, 6)),
    Row("ASCCL untrained", "untrained", "untrained", (4,)),
    Row("ASCCL, 3DMM alone", "trained", NONE, (5,)),
    Row("ASCCL, image alone", NONE, "trained", (5,)),
    Row("ASCCL without DAAS", "without DAAS", "without DAAS", (6,)),
    Row("ASCCL, authors' DAAS", "authors' DAAS", "authors' DAAS", (6,)),
    Row("ASCCL", "trained", "trained", (4, 5, 6)),
)


def trainings() -> list[tuple[Stage, str]]:
    """The distinct trainings of a seed; rows share them. What is compared with everything comes first."""
    return [(stage, name) for name in SUPERVISIONS for stage in STAGES if any(row.of(stage) == name for row in ROWS)]
