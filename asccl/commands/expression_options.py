"""The options of `asccl edit` that say which expression: a saved preset, a mix, groups of the face, keyframes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from asccl.errors import SettingError
from asccl.expression import AMOUNT_RANGE, GROUPS, INTENSITY_RANGE, GroupAmounts

DEFAULT_INTENSITY = 1.0


def add_expression_arguments(target: argparse._ArgumentGroup) -> None:
    """Add the options to the group of arguments that says what to change."""
    low, high = INTENSITY_RANGE
    target.add_argument("--intensity", type=float, metavar="X", help=f"{low:g} (no change) to {high:g}; default 1")
    target.add_argument(
        "--mix",
        type=_parse_mix,
        metavar="NAME:SHARE",
        help="a second emotion and its share from 0 to 1, for instance surprised:0.3",
    )
    low, high = AMOUNT_RANGE
    target.add_argument(
        "--adjust",
        type=_parse_groups,
        metavar="GROUP=X[,...]",
        help=f"move parts of the face in addition, by {low:g} to {high:g} each: {', '.join(GROUPS)}; for instance "
        "brows=0.5,smile=-0.3",
    )
    target.add_argument(
        "--keyframes",
        metavar="FILE",
        help="intensity over time: CSV with the header time,intensity, or JSON; it changes smoothly between the "
        "keyframes, and --intensity multiplies it",
    )
    target.add_argument(
        "--preset",
        metavar="FILE",
        help="an expression saved by the app as JSON: emotion, mix, groups and intensity; other options replace parts "
        "of it",
    )


def expression_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of an `EditRequest` that the options decide. Raises SettingError for a bad file."""
    settings: dict[str, Any] = {"emotion": None, "intensity": DEFAULT_INTENSITY}
    if arguments.preset is not None:
        from asccl.editing.saved_presets import read_preset

        settings |= read_preset(Path(arguments.preset)).settings()
    if arguments.emotion is not None and arguments.emotion != settings["emotion"]:
        settings |= {"emotion": arguments.emotion, "second_emotion": None}
    if arguments.intensity is not None:
        settings["intensity"] = arguments.intensity
    if arguments.mix is not None:
        settings["second_emotion"], settings["second_share"] = arguments.mix
    if arguments.adjust is not None:
        settings["groups"] = arguments.adjust
    if arguments.seed is not None:
        settings["seed"] = arguments.seed
    if arguments.keyframes is not None:
        from asccl.editing.keyframes import read_keyframes

        settings["keyframes"] = read_keyframes(Path(arguments.keyframes))
    return settings


def _parse_mix(text: str) -> tuple[str, float]:
    name, _, share = text.partition(":")
    try:
        return name, float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no emotion and share, such as surprised:0.3") from None


def _parse_groups(text: str) -> GroupAmounts:
    amounts: dict[str, float] = {}
    for part in text.split(","):
        name, _, amount = (piece.strip() for piece in part.partition("="))
        name = name.replace("-", "_").replace(" ", "_")
        if name not in GROUPS:
            raise argparse.ArgumentTypeError(f"there is no group {name!r}; choose from {', '.join(GROUPS)}")
        if name in amounts:
            raise argparse.ArgumentTypeError(f"{name} is named twice")
        try:
            amounts[name] = float(amount)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{part.strip()!r} is no group and amount, such as brows=0.5") from None
    try:
        return GroupAmounts(**amounts)
    except SettingError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
