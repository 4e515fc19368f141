"""The measures by name: the name carries the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from asccl.errors import AscclError, SettingError
from asccl.evaluation import av_agreement, expression, frechet, identity, lip_sync, lips, local_motion, realism
from asccl.evaluation.measure import Measure
from asccl.evaluation.networks import Networks

Builder = Callable[[str, Networks], Measure]  # raises WeightsError or AscclError where something is missing

MEASURES: Mapping[str, Builder] = MappingProxyType(
    {
        "fad-mobilefacenet": frechet.build_mobilefacenet,
        "fad-mobilefacenet-unit": frechet.build_mobilefacenet_unit,
        "fad-paper": frechet.build_paper,
        "fad-arcface": frechet.build_arcface,
        "csim": expression.build_csim,
        "csim-paper": expression.build_csim_paper,
        "target-probability": expression.build_target_probability,
        "expression-gain": expression.build_expression_gain,
        "lse-d-group": lip_sync.build_distance,
        "lse-c-group": lip_sync.build_confidence,
        "lse-d-standard": lip_sync.build_distance,
        "lse-c-standard": lip_sync.build_confidence,
        "lip-correlation": lips.build_lip_correlation,
        "lip-distance": lips.build_lip_distance,
        "closures-kept": lips.build_closures_kept,
        "mouth-width": lips.build_mouth_width,
        "phone-closures": lips.build_phone_closures,
        "av-agreement": av_agreement.build_agreement,
        "mouth-flow": local_motion.build_mouth_flow,
        "scc": local_motion.build_scc,
        "identity": identity.build_identity,
        "flicker": realism.build_flicker,
        "jitter": realism.build_jitter,
        "sharpness": realism.build_sharpness,
        "background-change": realism.build_background_change,
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
