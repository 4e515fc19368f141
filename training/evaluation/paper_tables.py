"""Tables 1 (MEAD) and 2 (RAVDESS) of the paper as printed, and our numbers beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from asccl.evaluation.manifest import SETTINGS
from asccl.evaluation.report import Report
from asccl.evaluation.scores import AVERAGE
from asccl.evaluation.tables import DOWN, MISSING, UP, Table, format_number
from asccl.types import EMOTIONS

PAPER_METHODS = ("icface", "icface+asccl", "ned", "ned+asccl")  # printed as ICface, Ours (ICface), NED, Ours (NED)
PAPER_COLUMNS = ("FAD", "LSE-D", "CSIM")
MAX_ROUNDING = 0.0051  # difference of a printed average and the mean of its rounded rows
PRINTED_ROWS = {
    ("mead", "intra-id"): """
        7.114 9.760 .779 7.158 9.382 .781 .906 9.264 .883 .891 9.113 .911
        6.420 10.483 .741 6.195 9.766 .803 2.177 9.579 .802 1.195 9.550 .896
        7.383 10.433 .805 6.265 9.266 .809 3.838 9.128 .772 1.679 9.416 .854
        6.567 9.855 .754 6.698 9.481 .800 1.659 10.172 .848 1.330 10.039 .900
        6.213 10.180 .775 6.191 9.556 .837 1.939 9.137 .839 1.326 8.975 .930
        7.301 10.017 .755 6.727 9.293 .779 2.538 9.074 .812 1.162 8.906 .906
        6.567 9.851 .817 7.470 9.271 .795 1.700 9.821 .864 1.056 9.382 .902
        6.795 10.083 .775 6.672 9.431 .801 2.108 9.454 .831 1.234 9.340 .900""",
    ("mead", "cross-id"): """
        10.560 11.226 .705 9.745 10.604 .671 2.022 9.812 .841 1.865 9.134 .852
        9.470 11.073 .648 9.271 10.456 .693 4.851 9.904 .717 4.853 9.239 .748
        9.230 11.184 .637 9.323 10.338 .764 5.094 10.121 .791 4.840 9.347 .814
        9.122 11.204 .727 9.273 10.221 .729 4.983 9.741 .750 4.820 9.239 .761
        8.493 11.322 .717 9.505 10.421 .793 3.919 9.936 .842 3.383 9.178 .866
        10.364 11.526 .664 9.710 10.314 .664 5.665 10.179 .691 5.475 9.427 .720
        9.541 11.133 .721 9.534 10.273 .766 4.600 9.646 .780 4.615 9.105 .779
        9.540 11.238 .688 9.480 10.375 .726 4.448 9.906 .773 4.264 9.238 .791""",
    ("ravdess", "intra-id"): """
        9.816 8.209 .749 8.302 7.239 .762 2.041 7.376 .847 2.810 7.567 .853
        7.047 9.504 .703 6.182 9.453 .711 3.288 7.757 .805 3.722 7.601 .799
        8.689 8.295 .775 7.066 8.649 .783 4.144 7.822 .786 3.194 8.100 .836
        8.413 8.523 .722 7.406 8.625 .741 2.635 7.452 .842 2.588 7.821 .831
        8.413 8.902 .797 7.403 7.924 .797 3.714 7.742 .793 3.025 6.678 .826
        8.086 8.346 .766 7.337 7.018 .781 2.595 7.560 .855 2.525 7.086 .842
        8.636 7.578 .772 7.411 7.402 .781 2.980 7.226 .848 3.410 7.299 .824
        8.443 8.480 .755 7.301 8.044 .765 3.057 7.562 .825 3.039 7.450 .830""",
    ("ravdess", "cross-id"): """
        10.478 10.736 .677 10.343 9.302 .682 3.558 7.856 .820 3.160 7.458 .813
        8.704 12.415 .646 8.242 10.522 .706 5.546 8.085 .766 4.851 8.513 .739
        9.260 11.860 .717 8.948 10.234 .652 7.388 8.107 .741 7.443 7.848 .689
        9.106 11.279 .649 9.062 10.382 .753 5.008 8.151 .749 4.160 7.842 .799
        9.061 11.150 .738 9.063 9.706 .676 5.648 8.073 .804 4.910 7.951 .796
        9.639 11.305 .666 9.043 9.916 .634 5.588 8.006 .726 4.847 7.545 .741
        9.718 12.028 .644 8.903 10.313 .677 5.145 7.962 .713 4.284 7.581 .748
        9.424 11.539 .677 8.903 10.313 .677 5.412 8.034 .760 4.808 7.820 .761""",
}
TABLE_NUMBERS = {"mead": 1, "ravdess": 2}
# the group's own measures; where their weights are missing, the nearest one that needs none
COLUMN_MEASURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"FAD": ("fad-paper", "fad-mobilefacenet"), "LSE-D": ("lse-d-group",), "CSIM": ("csim-paper", "csim")}
)


@dataclass(frozen=True)
class PrintedTable:
    """Half of a printed table.

    Attributes:
        values: (7, 4, 3) by emotion of `EMOTIONS`, method of `PAPER_METHODS` and column of `PAPER_COLUMNS`.
        averages: (4, 3), the last row.
    """

    values: np.ndarray
    averages: np.ndarray

    def misprints(self) -> list[tuple[str, str, float]]:
        """Return method, column and mean of the rows, where the printed average is another number."""
        means = self.values.mean(0)
        wrong = np.abs(means - self.averages) > MAX_ROUNDING
        return [
            (PAPER_METHODS[m], PAPER_COLUMNS[c], float(means[m, c])) for m, c in zip(*np.nonzero(wrong), strict=True)
        ]


def printed_table(data: str, setting: str) -> PrintedTable:
    """Return the printed numbers of a data set and setting."""
    numbers = np.array(PRINTED_ROWS[data, setting].split(), float).reshape(8, len(PAPER_METHODS), len(PAPER_COLUMNS))
    return PrintedTable(numbers[:7], numbers[7])


def compare_with_paper(report: Report, data: str, methods: Sequence[str]) -> list[Table]:
    """Build a table per setting, with our number and the printed one in brackets.

    Args:
        report: of the evaluation.
        data: mead or ravdess.
        methods: in the order of the columns.
    """
    columns = {name: _available_measure(report, name) for name in PAPER_COLUMNS}
    tables = []
    for setting in SETTINGS:
        groups = {
            (group["method"], group["emotion"], group["measure"]): group["value"]
            for group in report.groups
            if group["setting"] == setting
        }
        if not groups:
            continue
        header = ["emotion", *(f"{method} {_arrow(column)}" for method in methods for column in PAPER_COLUMNS)]
        rows = [
            [
                emotion,
                *(
                    _cell(
                        groups.get((method, emotion, columns[column] or "")),
                        _printed(data, setting, emotion, method, column),
                    )
                    for method in methods
                    for column in PAPER_COLUMNS
                ),
            ]
            for emotion in (*EMOTIONS, AVERAGE)
        ]
        used = ", ".join(f"{name} by {measure or 'none: not measured'}" for name, measure in columns.items())
        title = f"Table {TABLE_NUMBERS[data]}, {setting}: ours (the paper's); {used}"
        tables.append(Table(title, header, rows))
    return tables


def format_misprints(data: str) -> list[str]:
    """Return a line for every printed average that is not the mean of its rows."""
    return [
        f"{setting}, {method}, {column}: the paper prints the average {printed:.3f}; the mean of its rows is {mean:.3f}"
        for setting in SETTINGS
        for method, column, mean in printed_table(data, setting).misprints()
        for printed in [float(_printed(data, setting, AVERAGE, method, column) or np.nan)]
    ]


def _available_measure(report: Report, column: str) -> str | None:
    names = {measure["name"] for measure in report.protocol["measures"]}
    return next((name for name in COLUMN_MEASURES[column] if name in names), None)


def _arrow(column: str) -> str:
    return f"{column} {UP if column == 'CSIM' else DOWN}"


def _printed(data: str, setting: str, emotion: str, method: str, column: str) -> float | None:
    if method not in PAPER_METHODS:
        return None
    table, place = printed_table(data, setting), (PAPER_METHODS.index(method), PAPER_COLUMNS.index(column))
    return float(table.averages[place] if emotion == AVERAGE else table.values[EMOTIONS.index(emotion)][place])


def _cell(value: float | None, printed: float | None) -> str:
    text = MISSING if value is None else format_number(value)
    return text if printed is None else f"{text} ({printed:.3f})"
