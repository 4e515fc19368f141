"""The measures by name: the name carries the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from asccl.errors import AscclError, SettingError
from asccl.evaluation import expression, frechet, identity, lips
from asccl.evaluation.measure import Measure
from asccl.evaluation.networks import Networks

Builder = Callable[[str, Networks], Measure]  # raises WeightsError or AscclError where something is missing

MEASURES: Mapping[str, Builder] = MappingProxyType(
    {
        "fad-mobilefacenet": frechet.build_mobilefacenet,
        "csim": expression.build_csim,
        "target-probability": expression.build_target_probability,
        "identity": identity.build_identity,
        "lip-correlation": lips.build_lip_correlation,
        "lip-distance": lips.build_lip_distance,
        "closures-kept": lips.build_closures_kept,
        "mouth-width": lips.build_mouth_width,
    }
)


def build_measures(names: Iterable[str] | None, networks: Networks) -> tuple[list[Measure], dict[str, str]]:
    """Build measures.

    Args:
        names: of `MEASURES`; None for all.
        networks: bundled networks, and files that the user imported.

    Returns:
        The measures, and name -> reason for those whose weights or packages are missing. The evaluation goes on
        without them.

    Raises:
        SettingError: a name is unknown.
    """
    measures: list[Measure] = []
    missing: dict[str, str] = {}
    for name in MEASURES if names is None else names:
        if name not in MEASURES:
            raise SettingError(f"there is no measure {name!r}", f"choose from {', '.join(MEASURES)}")
        try:
            measures.append(MEASURES[name](name, networks))
        except AscclError as error:
            missing[name] = str(error)
    return measures, missing
