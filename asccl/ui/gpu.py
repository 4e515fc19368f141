"""Edits by neural generators on the GPU of a ZeroGPU Space. Everything else runs on the processor and costs no quota.

ZeroGPU lends a GPU to functions that `spaces.GPU` decorates. Such a function runs in a process of its own, so its
arguments and results must be picklable: it yields its progress, and the result last. An error is a result, too, because
`spaces` replaces the text of errors that are raised there. A Space installs the package `spaces` itself; elsewhere
nothing is decorated.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from asccl.editing.editor import Editor
from asccl.errors import AscclError, SettingError
from asccl.progress import Progress
from asccl.types import DetectedFace, EditRequest, EditResult, MediaInfo, Preview
from asccl.video import EncodeSettings

NEURAL_GENERATORS = frozenset({"ned", "icface"})
SECONDS_PER_CLIP_SECOND, START_SECONDS, MAX_GPU_SECONDS = 6.0, 30.0, 240.0  # reserved for one edit


def is_zero_gpu() -> bool:
    """Whether this process is a Space with ZeroGPU."""
    return bool(os.environ.get("SPACES_ZERO_GPU"))


def create_editor(encode: EncodeSettings) -> Editor | GpuEditor:
    """Create the editor of the app: on ZeroGPU one that edits with neural generators on the GPU."""
    if not is_zero_gpu():
        return Editor(encode=encode)
    import spaces

    return GpuEditor(Editor(encode=encode), Editor(encode=encode, device="cuda"), spaces.GPU)


class GpuEditor:
    """An editor whose neural edits run in a decorated function.

    Args:
        editor: looks into files, makes previews and does the edits of other generators, on the processor.
        gpu_editor: does the neural edits.
        decorate: `spaces.GPU`.
    """

    def __init__(self, editor: Editor, gpu_editor: Editor, decorate: Callable[..., Callable[[Any], Any]]):
        self.editor = editor

        def reserve(request: EditRequest) -> int:
            return reserved_seconds(editor.probe(request.source).duration)

        @decorate(duration=reserve)
        def edit_on_gpu(request: EditRequest) -> Iterator[tuple[str, float] | EditResult | AscclError]:
            try:
                yield from report_edit(gpu_editor, request)
            except AscclError as error:
                yield error

        self._edit_on_gpu = edit_on_gpu

    def probe(self, source: Path) -> MediaInfo:
        """See `Editor.probe`."""
        return self.editor.probe(source)

    def faces(self, source: Path) -> list[DetectedFace]:
        """See `Editor.faces`."""
        return self.editor.faces(source)

    def is_fitted(self, request: EditRequest) -> bool:
        """See `Editor.is_fitted`."""
        return self.editor.is_fitted(request)

    def fit_face(self, request: EditRequest, owner: str = "") -> None:
        """Fit the face of a request, on the processor.

        Args:
            request: see `Editor.fit_face`.
            owner: see `Editor.fit_face`.
        """
        self.editor.fit_face(request, owner)

    def quick_preview(self, request: EditRequest, time: float, owner: str = "") -> Preview:
        """Show one frame, on the processor.

        Args:
            request: see `Editor.quick_preview`.
            time: see `Editor.quick_preview`.
            owner: see `Editor.quick_preview`.
        """
        return self.editor.quick_preview(request, time, owner)

    def preview(self, request: EditRequest, time: float, owner: str = "", progress: Progress | None = None) -> Preview:
        """Show one frame, on the processor.

        Args:
            request: see `Editor.preview`.
            time: see `Editor.preview`.
            owner: see `Editor.preview`.
            progress: see `Editor.preview`.
        """
        return self.editor.preview(request, time, owner, progress)

    def preview_clip(self, request: EditRequest, time: float, output: Path, owner: str = "") -> None:
        """Write two seconds of a video, on the processor.

        Args:
            request: see `Editor.preview_clip`.
            time: see `Editor.preview_clip`.
            output: see `Editor.preview_clip`.
            owner: see `Editor.preview_clip`.
        """
        self.editor.preview_clip(request, time, output, owner)

    def edit(self, request: EditRequest, progress: Progress | None = None) -> EditResult:
        """Edit a file, with a neural generator on the GPU.

        Raises the errors of `Editor.edit`, and SettingError where no GPU is lent, for instance without quota.
        """
        if request.generator not in NEURAL_GENERATORS:
            return self.editor.edit(request, progress)
        progress = progress or Progress()
        try:
            for item in self._edit_on_gpu(request):
                if isinstance(item, AscclError):
                    raise item
                if isinstance(item, EditResult):
                    progress.finish()
                    return item
                progress(*item)
        except gr.Error as error:
            raise SettingError(
                f"no GPU is available for this edit ({error.message})",
                "try again later, or choose the first way to make the expression, which needs none",
            ) from error
        raise SettingError("the edit on the GPU ended without a result", "try again")


def reserved_seconds(duration: float) -> int:
    """Return how long a GPU is reserved for a clip of this length, in seconds."""
    return int(min(START_SECONDS + SECONDS_PER_CLIP_SECOND * duration, MAX_GPU_SECONDS))


def report_edit(editor: Editor, request: EditRequest) -> Iterator[tuple[str, float] | EditResult]:
    """Edit in a thread. Yields (stage, share) for each report of progress, and the result last.

    Closing the iterator stops the edit. Raises the errors of `Editor.edit`.
    """
    messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stop = threading.Event()

    def work() -> None:
        try:
            messages.put(editor.edit(request, Progress(lambda stage, done: messages.put((stage, done)), stop.is_set)))
        except BaseException as error:  # raised by the consumer
            messages.put(error)

    thread = threading.Thread(target=work, name="asccl-gpu", daemon=True)
    thread.start()
    try:
        while True:
            item = messages.get()
            if isinstance(item, BaseException):
                raise item
            yield item
            if isinstance(item, EditResult):
                return
    finally:
        stop.set()
        thread.join()
