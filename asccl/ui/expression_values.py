"""What the expert controls of the Edit tab send: an expression and a curve as text of JSON."""

from __future__ import annotations

import json
from typing import Any

from asccl.editing.keyframes import parse_keyframes
from asccl.editing.saved_presets import SavedPreset, check_settings, read_groups
from asccl.errors import SettingError
from asccl.expression import EMOTIONS

EXPRESSION_NAMES = ("second_emotion", "second_share", "groups")
NO_EXPRESSION = ""  # one emotion alone, and no group moved


def expression_fields(expression: str | None, keyframes: str | None, emotion: str | None) -> dict[str, Any]:
    """Convert the texts to fields of an `EditRequest`.

    Args:
        expression: JSON of a second emotion, its share and the groups; empty for none.
        keyframes: JSON of keyframes, as `parse_keyframes` reads them; empty for none.
        emotion: chosen first emotion. A second one that does not fit it is left out, so that the first one may change.

    Returns:
        Fields by name.

    Raises:
        SettingError: a text is malformed, or a value is out of range.
    """
    fields = parse_expression(expression or NO_EXPRESSION)
    if emotion not in EMOTIONS or fields.get("second_emotion") == emotion:
        fields.pop("second_emotion", None)
    if keyframes:
        fields["keyframes"] = parse_keyframes(keyframes, "the curve")
    return fields


def parse_expression(text: str) -> dict[str, Any]:
    """Parse the JSON of an expression into fields of an `EditRequest`. Raises SettingError."""
    if not text:
        return {}
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or not set(values) <= set(EXPRESSION_NAMES):
        raise SettingError("the expression is malformed", "reload the page")
    groups = values.pop("groups", {})
    check_settings(SavedPreset, values)
    return {**values, "groups": read_groups(groups)}


def expression_text(preset: SavedPreset) -> str:
    """The text of a preset's mix and groups."""
    if preset.second_emotion is None and preset.groups.is_zero:
        return NO_EXPRESSION
    values = {name: preset.settings()[name] for name in EXPRESSION_NAMES}
    return json.dumps({**values, "groups": preset.groups.as_dict()})
