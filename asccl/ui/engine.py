"""What the web app asks of an editor; `asccl.editing.editor.Editor` is one."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from asccl.types import DetectedFace, EditRequest, EditResult, MediaInfo, Preview, Progress


class EditorLike(Protocol):
    def probe(self, source: Path) -> MediaInfo: ...

    def faces(self, source: Path) -> list[DetectedFace]: ...

    def preview(self, request: EditRequest, time: float) -> Preview: ...

    def edit(self, request: EditRequest, progress: Progress | None = None) -> EditResult: ...
