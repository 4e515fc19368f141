"""Clips of a study rendered by an editor: several generators or intensities for the same sources and emotions."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from asccl.errors import SettingError
from asccl.study.manifest import STUDY_VIDEO_SUFFIXES
from asccl.types import EMOTIONS, GENERATORS, INTENSITY_RANGE, EditRequest

METHOD_SPEC = re.compile(r"\s*([\w .+-]{1,40}?)\s*=\s*([a-z]+)(?:@([0-9.]+))?\s*")


class ClipEditor(Protocol):
    """What is needed of an editor."""

    def edit(self, request: EditRequest) -> Any:
        """Write the edited video of a request."""


@dataclass(frozen=True)
class Method:
    """How the clips of one method are rendered."""

    name: str
    generator: str = "warp"
    intensity: float = 1.0


def parse_method(text: str) -> Method:
    """Parse `mild = warp@0.5`. Raises SettingError."""
    match = METHOD_SPEC.fullmatch(text)
    if not match or match[2] not in GENERATORS:
        raise SettingError(f"{text[:60]!r} is not a method", f"write NAME=GENERATOR@INTENSITY: {', '.join(GENERATORS)}")
    low, high = INTENSITY_RANGE
    try:
        intensity = float(match[3] or 1)
    except ValueError:
        intensity = math.nan
    if not low <= intensity <= high:
        raise SettingError(f"the intensity of {text[:60]!r} is out of range", f"give {low:g} to {high:g}")
    if match[1].lower() in ("source", "reference"):
        raise SettingError(f"a method cannot be called {match[1]}", "choose another name")
    return Method(match[1], match[2], intensity)


def edit_clips(
    editor: ClipEditor,
    sources: Sequence[Path],
    emotions: Sequence[str],
    methods: Sequence[Method],
    folder: Path,
    references: Mapping[str, Path] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Render the clips of a study, one item for each source and emotion.

    Args:
        editor: renders each clip; it raises its own errors.
        sources: videos with different names.
        emotions: target emotions, of `EMOTIONS`.
        methods: two or more with different names.
        folder: gets SOURCE-EMOTION/{source,reference,METHOD}.mp4, the layout that `manifest.read_items` reads.
        references: emotion -> clip that is shown as the reference.
        report: gets a line of progress for each clip.

    Raises:
        SettingError: an emotion is unknown, a source is not a video, or names occur twice.
    """
    _check_settings(sources, emotions, methods)
    for source in sources:
        for emotion in emotions:
            item_folder = folder / f"{source.stem}-{emotion}"
            item_folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, item_folder / f"source{source.suffix.lower()}")
            if reference := (references or {}).get(emotion):
                shutil.copyfile(reference, item_folder / f"reference{reference.suffix.lower()}")
            for method in methods:
                report(f"{source.stem}, {emotion}, {method.name}")
                output = item_folder / f"{method.name}.mp4"
                editor.edit(
                    EditRequest(source, output, emotion=emotion, intensity=method.intensity, generator=method.generator)
                )


def _check_settings(sources: Sequence[Path], emotions: Sequence[str], methods: Sequence[Method]) -> None:
    for emotion in emotions:
        if emotion not in EMOTIONS:
            raise SettingError(f"there is no emotion {emotion!r}", f"choose one of {', '.join(EMOTIONS)}")
    names = {method.name for method in methods}
    if len(names) < 2 or len(names) < len(methods):
        raise SettingError("a study compares two or more methods of different names", "give two or more methods")
    if len({source.stem for source in sources}) < len(sources):
        raise SettingError("two sources have the same name", "rename one of them")
    for source in sources:
        if source.suffix.lower() not in STUDY_VIDEO_SUFFIXES:
            raise SettingError(f"{source.name} is not a video", "give videos")


def references_by_emotion(paths: Sequence[Path]) -> dict[str, Path]:
    """Return emotion -> clip for clips named after an emotion: happy.mp4, sad-2.mov.

    Raises:
        SettingError: a name contains no emotion.
    """
    references = {}
    for path in paths:
        words = re.split(r"[\W_]+", path.stem.lower())
        emotion = next((emotion for emotion in EMOTIONS if emotion in words), None)
        if emotion is None or path.suffix.lower() not in STUDY_VIDEO_SUFFIXES:
            raise SettingError(
                f"the name of the reference {path.name} has no emotion", f"call it {EMOTIONS[4]}.mp4, for instance"
            )
        references[emotion] = path
    return references
