"""On ZeroGPU, neural edits run in a decorated function and everything else on the processor."""

from __future__ import annotations

import contextvars
import pickle
import threading
from pathlib import Path

import gradio as gr
import pytest

from asccl.errors import CancelledError, NoFaceError, SettingError
from asccl.progress import Progress
from asccl.types import EditRequest, EditResult, MediaInfo
from asccl.ui.gpu import MAX_GPU_SECONDS, START_SECONDS, GpuEditor, create_editor, report_edit, reserved_seconds
from asccl.ui.jobs import Job
from asccl.ui.page import WEB_ENCODING


class SmallEditor:
    """Answers at once. error: is raised by `edit`."""

    def __init__(self, error: Exception | None = None):
        self.error, self.requests = error, []
        self.waiting = threading.Event()

    def probe(self, source: Path) -> MediaInfo:
        class Info:
            duration = 10.0

        return Info()

    def edit(self, request: EditRequest, progress: Progress) -> EditResult:
        self.requests.append(request)
        progress("render", 0.5)
        while self.waiting.is_set():
            progress.check()
        if self.error:
            raise self.error
        return EditResult(Path("out.mp4"), {})


def decorate(reservations: list[int]):
    """A decorator that passes arguments and results through pickle, as ZeroGPU does."""

    def gpu(duration):
        def wrap(function):
            def call(request):
                reservations.append(duration(request))
                for item in function(pickle.loads(pickle.dumps(request))):
                    yield pickle.loads(pickle.dumps(item))

            return call

        return wrap

    return gpu


def test_only_neural_edits_reserve_a_gpu() -> None:
    processor, gpu, reservations = SmallEditor(), SmallEditor(), []
    editor = GpuEditor(processor, gpu, decorate(reservations))
    editor.edit(EditRequest("a.mp4", emotion="sad"), Progress())
    assert (len(processor.requests), len(gpu.requests), reservations) == (1, 0, [])
    editor.edit(EditRequest("a.mp4", emotion="sad", generator="ned"), Progress())
    assert (len(processor.requests), len(gpu.requests), reservations) == (1, 1, [90])


def test_progress_and_result_come_from_the_gpu() -> None:
    stages: list[tuple[str, float]] = []
    editor = GpuEditor(SmallEditor(), SmallEditor(), decorate([]))
    progress = Progress(lambda stage, done: stages.append((stage, done)))
    assert editor.edit(EditRequest("a.mp4", emotion="sad", generator="ned"), progress).output == Path("out.mp4")
    assert stages == [("render", 0.5), ("done", 1.0)]


def test_a_refused_gpu_is_one_line() -> None:
    def refuse(duration):
        def call(request):
            raise gr.Error("You have exceeded your GPU quota", title="ZeroGPU quota exceeded")

        return lambda function: call

    editor = GpuEditor(SmallEditor(), SmallEditor(), refuse)
    with pytest.raises(SettingError, match=r"no GPU is available for this edit .*exceeded your GPU quota"):
        editor.edit(EditRequest("a.mp4", emotion="sad", generator="ned"))


def test_an_error_of_the_edit_crosses_the_processes_as_a_value() -> None:
    raised = []

    def gpu(duration):
        return lambda function: lambda request: raised.append([*function(request)]) or iter(raised[-1])

    editor = GpuEditor(SmallEditor(), SmallEditor(NoFaceError("no face", "give another")), gpu)
    with pytest.raises(NoFaceError, match="no face: give another"):
        editor.edit(EditRequest("a.mp4", emotion="sad", generator="ned"))
    assert isinstance(pickle.loads(pickle.dumps(raised[0][-1])), NoFaceError)


def test_a_job_has_the_context_of_its_request() -> None:
    request = contextvars.ContextVar("request", default="nobody")
    request.set("a visitor")
    job = Job(lambda _folder, _progress: request.get(), None, {})
    job.wait(60)
    assert job.result == "a visitor"
    job.close()


def test_an_error_of_the_edit_is_raised() -> None:
    editor = GpuEditor(SmallEditor(), SmallEditor(NoFaceError("no face", "give another")), decorate([]))
    with pytest.raises(NoFaceError):
        editor.edit(EditRequest("a.mp4", emotion="sad", generator="ned"))


def test_closing_the_messages_stops_the_edit() -> None:
    editor = SmallEditor()
    editor.waiting.set()
    messages = report_edit(editor, EditRequest("a.mp4", emotion="sad", generator="ned"))
    assert next(messages) == ("render", 0.5)
    messages.close()
    assert "asccl-gpu" not in {thread.name for thread in threading.enumerate()}


def test_cancelling_stops_the_edit_on_the_gpu() -> None:
    gpu = SmallEditor()
    gpu.waiting.set()
    editor = GpuEditor(SmallEditor(), gpu, decorate([]))
    with pytest.raises(CancelledError):
        editor.edit(EditRequest("a.mp4", emotion="sad", generator="ned"), Progress(cancelled=lambda: True))


def test_the_reservation_grows_with_the_clip_up_to_a_limit() -> None:
    assert reserved_seconds(0) == START_SECONDS
    assert reserved_seconds(1000) == MAX_GPU_SECONDS


def test_elsewhere_nothing_is_decorated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert not isinstance(create_editor(WEB_ENCODING), GpuEditor)
