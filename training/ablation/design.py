"""Design of the ablations: the trainings with their supervision, and the rows of the paper's tables made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asccl.metric.scc import Heads

TrainingStage = Literal["manipulator", "renderer"]
STAGES: tuple[TrainingStage, ...] = ("manipulator", "renderer")


@dataclass(frozen=True)
class Supervision:
    """One supervision variant.

    Attributes:
        heads: of the metric, see `load_metric`.
        daas: see `LossSettings`.
        weight_scale: factor of the ASCCL weight by stage. It equalizes gradient norms with the variant "trained"
            (`benchmarks/ned_cost.py` prints it), so variants differ in gradient direction only.
    """

    heads: Heads
    daas: Literal["paper", "off", "authors"]
    weight_scale: dict[TrainingStage, float]


NO_ASCCL = "none"
SUPERVISIONS: dict[str, Supervision | None] = {
    NO_ASCCL: None,
    "untrained": Supervision("random", "paper", {"manipulator": 0.17, "renderer": 0.34}),
    "trained": Supervision("trained", "paper", {"manipulator": 1.0, "renderer": 1.0}),
    "without DAAS": Supervision("trained", "off", {"manipulator": 1.2, "renderer": 1.3}),
    "authors' DAAS": Supervision("trained", "authors", {"manipulator": 0.9, "renderer": 0.62}),
}


@dataclass(frozen=True)
class AblationRow:
    """A row of the tables.

    Attributes:
        name: in the first column.
        manipulator: supervision of the manipulator, a key of `SUPERVISIONS`.
        renderer: supervision of the renderer, a key of `SUPERVISIONS`.
        tables: numbers of the paper's tables that have this row.
    """

    name: str
    manipulator: str
    renderer: str
    tables: tuple[int, ...]

    def supervision(self, stage: TrainingStage) -> str:
        """Return the supervision of a stage."""
        return self.manipulator if stage == "manipulator" else self.renderer


BASELINE = "NED"
ROWS = (
    AblationRow(BASELINE, NO_ASCCL, NO_ASCCL, (4, 5, 6)),
    AblationRow("ASCCL untrained", "untrained", "untrained", (4,)),
    AblationRow("ASCCL, 3DMM alone", "trained", NO_ASCCL, (5,)),
    AblationRow("ASCCL, image alone", NO_ASCCL, "trained", (5,)),
    AblationRow("ASCCL without DAAS", "without DAAS", "without DAAS", (6,)),
    AblationRow("ASCCL, authors' DAAS", "authors' DAAS", "authors' DAAS", (6,)),
    AblationRow("ASCCL", "trained", "trained", (4, 5, 6)),
)


def distinct_trainings() -> list[tuple[TrainingStage, str]]:
    """Return the trainings of a seed, which the rows share; the baseline's come first."""
    return [
        (stage, name)
        for name in SUPERVISIONS
        for stage in STAGES
        if any(row.supervision(stage) == name for row in ROWS)
    ]
