"""A study's clips made by an editor: several generators or intensities over the same sources and emotions."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from asccl.errors import SettingError
from asccl.study.manifest import VIDEOS
from asccl.types import EMOTIONS, GENERATORS, INTENSITY_RANGE, EditRequest

METHOD = re.compile(r"\s*([\w .+-]{1,40}?)\s*=\s*([a-z]+)(?:@([0-9.]+))?\s*")


class CanEdit(Protocol):
    def edit(self, request: EditRequest) -> Any: ...


@dataclass(frozen=True)
class Method:
    """What one side of a pair is made by."""

    name: str
    generator: str = "warp"
    intensity: float = 1.0


def parse_method(text: str) -> Method:
    """`mild = warp@0.5`. Raises SettingError."""
    found = METHOD.fullmatch(text)
    if not found or found[2] not in GENERATORS:
        raise SettingError(f"{text[:60]!r} is not a method", f"write NAME=GENERATOR@INTENSITY: {', '.join(GENERATORS)}")
    low, high = INTENSITY_RANGE
    try:
        intensity = float(found[3] or 1)
    except ValueError:
        intensity = math.nan
    if not low <= intensity <= high:
        raise SettingError(f"the intensity of {text[:60]!r} is out of range", f"give {low:g} to {high:g}")
    if found[1].lower() in ("source", "reference"):
        raise SettingError(f"a method cannot be called {found[1]}", "choose another name")
    return Method(found[1], found[2], intensity)


def make_edits(
    editor: CanEdit,
    sources: Sequence[Path],
    emotions: Sequence[str],
    methods: Sequence[Method],
    folder: Path,
    references: dict[str, Path] | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> None:
    """Writes `folder`/SOURCE-EMOTION/{source,reference,METHOD}.mp4, the layout that `manifest.read_items` reads.

    references: emotion -> clip. Raises SettingError and what the editor raises.
    """
    for emotion in emotions:
        if emotion not in EMOTIONS:
            raise SettingError(f"there is no emotion {emotion!r}", f"choose one of {', '.join(EMOTIONS)}")
    if len({method.name for method in methods}) < 2 or len({method.name for method in methods}) < len(methods):
        raise SettingError("a study compares two or more methods of different names", "give --method twice or more")
    if len({source.stem for source in sources}) < len(sources):
        raise SettingError("two sources have the same name", "rename one of them")
    for source in sources:
        if source.suffix.lower() not in VIDEOS:
            raise SettingError(f"{source.name} is not a video", "give videos")
        for emotion in emotions:
            place = folder / f"{source.stem}-{emotion}"
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place / f"source{source.suffix.lower()}")
            if reference := (references or {}).get(emotion):
                shutil.copyfile(reference, place / f"reference{reference.suffix.lower()}")
            for method in methods:
                tell(f"{source.stem}, {emotion}, {method.name}")
                target = place / f"{method.name}.mp4"
                editor.edit(
                    EditRequest(source, target, emotion=emotion, intensity=method.intensity, generator=method.generator)
                )


def references_in(paths: Sequence[Path]) -> dict[str, Path]:
    """Clips that are named after an emotion: happy.mp4, sad-2.mov. Raises SettingError for any other."""
    found = {}
    for path in paths:
        words = re.split(r"[\W_]+", path.stem.lower())
        emotion = next((emotion for emotion in EMOTIONS if emotion in words), None)
        if emotion is None or path.suffix.lower() not in VIDEOS:
            raise SettingError(
                f"the reference {path.name} names no emotion", f"call it {EMOTIONS[4]}.mp4, for instance"
            )
        found[emotion] = path
    return found
