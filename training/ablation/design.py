"""Design of the ablations: the networks with their supervision, the rows made of them, and the comparisons planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asccl.metric.loss_settings import Daas
from asccl.metric.scc import Heads
from training.renderer_settings import ASCCLTarget

TrainingStage = Literal["manipulator", "renderer"]
STAGES: tuple[TrainingStage, ...] = ("manipulator", "renderer")


@dataclass(frozen=True)
class Supervision:
    """How one network is supervised.

    Attributes:
        weight_scale: factor of the ASCCL weight; 0 for no ASCCL. It equalizes gradient norms with the variant "trained"
            (`benchmarks/ned_cost.py` prints it), so variants differ in gradient direction only.
        heads: of the metric, see `load_metric`.
        daas: see `LossSettings`.
        temporal_weight: weight of the comparison over time, 0 for none; its gradient is as large as that of the rest.
        asccl_on: which frames a renderer's term compares; a manipulator ignores it.
        outlines: the gradient of a manipulator's term contains the movement of outlines, of images with
            `OUTLINE_SAMPLES` points per pixel and axis; a renderer ignores it.
    """

    weight_scale: float = 1.0
    heads: Heads = "trained"
    daas: Daas = "paper"
    temporal_weight: float = 0.0
    asccl_on: ASCCLTarget = "both"
    outlines: bool = False


OUTLINE_SAMPLES = 4
PRETRAINED = "pretrained"  # the network without ASCCL that all networks of a seed continue, no supervision of its own
NO_ASCCL, TRAINED, UNTRAINED = "none", "trained", "untrained"
NO_DAAS, AUTHORS_DAAS, TEMPORAL, OUTLINES = "without DAAS", "authors' DAAS", "temporal", "outlines"
RECONSTRUCTION, EDITED, EDITED_CONTROL = "reconstruction", "edited", "edited, no ASCCL"
SUPERVISIONS: dict[TrainingStage, dict[str, Supervision]] = {
    "manipulator": {
        NO_ASCCL: Supervision(0.0),
        TRAINED: Supervision(),
        UNTRAINED: Supervision(0.2, heads="random"),
        NO_DAAS: Supervision(1.1, daas="off"),
        AUTHORS_DAAS: Supervision(0.85, daas="authors"),
        TEMPORAL: Supervision(0.7, temporal_weight=0.0004),
        OUTLINES: Supervision(outlines=True),
    },
    "renderer": {
        NO_ASCCL: Supervision(0.0, asccl_on="reconstruction"),
        EDITED_CONTROL: Supervision(0.0, asccl_on="edited"),
        TRAINED: Supervision(),
        EDITED: Supervision(asccl_on="edited"),
        RECONSTRUCTION: Supervision(asccl_on="reconstruction"),
        UNTRAINED: Supervision(0.27, heads="random"),
        NO_DAAS: Supervision(1.1, daas="off"),
        AUTHORS_DAAS: Supervision(0.73, daas="authors"),
        TEMPORAL: Supervision(0.7, temporal_weight=0.005),
    },
}


@dataclass(frozen=True)
class AblationRow:
    """A row of the tables of whole edits.

    Attributes:
        name: in the first column.
        manipulator: supervision of the manipulator, a key of `SUPERVISIONS`.
        renderer: supervision of the renderer, a key of `SUPERVISIONS`.
        tables: numbers of the paper's tables that have this row.
    """

    name: str
    manipulator: str
    renderer: str
    tables: tuple[int, ...] = ()

    def supervision(self, stage: TrainingStage) -> str:
        """Return the supervision of a stage."""
        return self.manipulator if stage == "manipulator" else self.renderer


BASELINE = "NED"
ROWS = (
    AblationRow(BASELINE, NO_ASCCL, NO_ASCCL, (4, 5, 6)),
    AblationRow("ASCCL untrained", UNTRAINED, UNTRAINED, (4,)),
    AblationRow("ASCCL", TRAINED, TRAINED, (4, 5, 6)),
    AblationRow("3DMM alone", TRAINED, NO_ASCCL, (5,)),
    AblationRow("image alone, reconstruction", NO_ASCCL, RECONSTRUCTION, (5,)),
    AblationRow("image alone, edited", NO_ASCCL, EDITED),
    AblationRow("image alone, both", NO_ASCCL, TRAINED),
    AblationRow("edited, no ASCCL", NO_ASCCL, EDITED_CONTROL),
    AblationRow("ASCCL without DAAS", NO_DAAS, NO_DAAS, (6,)),
    AblationRow("ASCCL, authors' DAAS", AUTHORS_DAAS, AUTHORS_DAAS),
    AblationRow("ASCCL, temporal", TEMPORAL, TEMPORAL),
)

Family = Literal["manipulator", "renderer", "edit"]


@dataclass(frozen=True)
class PlannedFamily:
    """Comparisons that are tested together, with Holm's correction over them.

    Attributes:
        title: of the table.
        measure: the primary measure, a key of the scores; all others are described without a test.
        comparisons: (row, row that it is compared with).
        described: comparisons with an interval and without a test, of rows that may have fewer seeds.
    """

    title: str
    measure: str
    comparisons: tuple[tuple[str, str], ...]
    described: tuple[tuple[str, str], ...] = ()


PLAN: dict[Family, PlannedFamily] = {
    "manipulator": PlannedFamily(
        "Manipulators alone",
        "lips_3dmm",
        (
            (TRAINED, NO_ASCCL),
            (UNTRAINED, NO_ASCCL),
            (TRAINED, UNTRAINED),
            (TRAINED, NO_DAAS),
            (TRAINED, AUTHORS_DAAS),
            (TEMPORAL, TRAINED),
        ),
        ((OUTLINES, TRAINED), (OUTLINES, NO_ASCCL)),
    ),
    "renderer": PlannedFamily(
        "Renderers alone",
        "lips",
        (
            (RECONSTRUCTION, NO_ASCCL),
            (EDITED, EDITED_CONTROL),
            (TRAINED, EDITED_CONTROL),
            (TRAINED, UNTRAINED),
        ),
        (
            (EDITED_CONTROL, NO_ASCCL),
            (TRAINED, NO_DAAS),
            (TRAINED, AUTHORS_DAAS),
            (TEMPORAL, TRAINED),
        ),
    ),
    "edit": PlannedFamily(
        "Whole edits, intra-ID",
        "lips",
        (
            ("ASCCL", "edited, no ASCCL"),
            ("3DMM alone", BASELINE),
            ("image alone, edited", "edited, no ASCCL"),
            ("ASCCL", "ASCCL untrained"),
        ),
        (
            ("ASCCL", BASELINE),
            ("image alone, reconstruction", BASELINE),
            ("ASCCL", "ASCCL without DAAS"),
            ("ASCCL, temporal", "ASCCL"),
        ),
    ),
}


def planned_supervisions(stage: TrainingStage) -> list[str]:
    """Return the supervisions of a stage whose networks a planned comparison needs; all others are trained last."""
    planned = {name for pair in PLAN[stage].comparisons for name in pair}
    return [name for name in SUPERVISIONS[stage] if name in planned]
