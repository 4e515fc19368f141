"""A fast stand-in for the editor: it reads and writes real files, detects no face, and tests can hold its work."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from asccl.errors import NoFaceError
from asccl.progress import Progress
from asccl.types import EMOTIONS, DetectedFace, EditRequest, EditResult, MediaInfo, Preview
from asccl.video.reader import Reader, probe

TINTS = {  # gain of red, green and blue
    "neutral": (1.0, 1.0, 1.0),
    "angry": (1.3, 0.7, 0.7),
    "disgusted": (0.8, 1.2, 0.6),
    "fear": (0.8, 0.8, 1.1),
    "happy": (1.2, 1.1, 0.6),
    "sad": (0.6, 0.8, 1.3),
    "surprised": (1.2, 0.8, 1.2),
    None: (0.6, 1.2, 1.2),
}


class Gate:
    """Holds the threads that come to it while it is closed."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self._opened.set()

    @property
    def is_closed(self) -> bool:
        return not self._opened.is_set()

    def close(self) -> None:
        self._opened.clear()

    def open(self) -> None:
        self._opened.set()

    def pass_through(self, check: Callable[[], object] = lambda: None) -> None:
        """Wait while the gate is closed. check: called meanwhile; it may raise an error."""
        while not self._opened.wait(0.02):
            check()
        check()


@dataclass
class FakeEditor:
    """An editor that tints frames.

    Attributes:
        edit_gate: closed, it holds edits in the middle.
        search_gate: closed, it holds the adaptation of previews; quick previews are then first impressions.
        face_gate: closed, it holds the detection of faces.
        fit_gate: closed, it holds the first preview of a file.
        face_count: faces that it reports.
        box: of the face in previews.
        weak: whether edits come out weak.
        broken: raise an unexpected error instead.
        requests: the edits that were asked for.
        running: set when an edit starts.
        stopped: set when an edit or an adaptation was cancelled.
        searching: set when an adaptation starts.
        fitting: set when a face is being fitted.
        fitted: files whose face was fitted.
    """

    edit_gate: Gate = field(default_factory=Gate)
    search_gate: Gate = field(default_factory=Gate)
    face_gate: Gate = field(default_factory=Gate)
    fit_gate: Gate = field(default_factory=Gate)
    face_count: int = 1
    box: tuple[float, ...] | None = None
    weak: bool = False
    broken: bool = False
    requests: list[EditRequest] = field(default_factory=list)
    running: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    searching: threading.Event = field(default_factory=threading.Event)
    fitting: threading.Event = field(default_factory=threading.Event)
    fitted: set[Path] = field(default_factory=set)

    def open_gates(self) -> None:
        """Let all work that is held go on."""
        for gate in (self.edit_gate, self.search_gate, self.face_gate, self.fit_gate):
            gate.open()

    def probe(self, source: Path) -> MediaInfo:
        return probe(source)

    def faces(self, source: Path) -> list[DetectedFace]:
        self.face_gate.pass_through()
        if self.broken:
            raise RuntimeError(f"secret detail about {source}")
        image = first_image(source)
        if image.std() < 5:
            raise NoFaceError(f"no face was found in {source.name}", "choose one where a face is clearly visible")
        thumbnail = cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA)
        return [
            DetectedFace(number, np.roll(thumbnail, 20 * number, axis=2), 0.5 * number, 1.0, (0.0, 0.0, 96.0, 96.0))
            for number in range(self.face_count)
        ]

    def is_fitted(self, request: EditRequest) -> bool:
        return request.source in self.fitted

    def fit_face(self, request: EditRequest, owner: str = "") -> None:
        self.fitting.set()
        self.fit_gate.pass_through()
        self.fitted.add(request.source)

    def quick_preview(self, request: EditRequest, time: float, owner: str = "") -> Preview:
        if self.search_gate.is_closed and request.adapt:
            preview = self.preview(replace(request, adapt=False), time)
            return Preview(preview.source, preview.source, 1.0, is_final=False)
        return self.preview(request, time)

    def preview(self, request: EditRequest, time: float, owner: str = "", progress: Progress | None = None) -> Preview:
        if request.adapt:
            self.search(progress or Progress())
        with Reader(request.source) as reader:
            index = min(int(time * float(reader.info.frame_rate)), reader.info.frames - 1)
            image = next(frame.image for frame in reader if frame.index >= index)
        return Preview(image, tint(image, request), 1.0, box=self.box)

    def preview_clip(self, request: EditRequest, time: float, output: Path, owner: str = "") -> None:
        write_tinted(replace(request, output=output))

    def search(self, progress: Progress) -> None:
        """Adapt nothing."""
        self.searching.set()
        try:
            self.search_gate.pass_through(progress.check)
        except BaseException:
            self.stopped.set()
            raise

    def edit(self, request: EditRequest, progress: Progress | None = None) -> EditResult:
        progress = progress or Progress()
        self.requests.append(request)
        self.running.set()
        assert request.output is not None
        unfinished = request.output.with_suffix(".part")
        try:
            for stage in ("open", "track", "fit", "render"):
                unfinished.write_bytes(b"unfinished")
                progress(stage, 0.5)
                if stage == "track":
                    self.edit_gate.pass_through(progress.check)
        except BaseException:
            self.stopped.set()
            raise
        unfinished.unlink()
        info = probe(request.source)
        if info.is_still:
            cv2.imwrite(str(request.output), tint(first_image(request.source), request)[..., ::-1])
        else:
            write_tinted(request)
        report = build_report(request, info)
        if self.weak:
            report["emotion"] |= {"weak": True, "reason": "More would move the lips."}
        return EditResult(request.output, report)


def first_image(source: Path) -> np.ndarray:
    with Reader(source) as reader:
        return next(iter(reader)).image


def tint(image: np.ndarray, request: EditRequest) -> np.ndarray:
    gain = 1 + (np.array(TINTS[request.emotion]) - 1) * request.intensity
    return np.clip(image * gain, 0, 255).astype(np.uint8)


def write_tinted(request: EditRequest) -> None:
    with Reader(request.source) as reader, av.open(str(request.output), "w") as container:
        stream = container.add_stream("libx264", reader.info.frame_rate)
        stream.width, stream.height, stream.pix_fmt = reader.info.width, reader.info.height, "yuv420p"
        for frame in reader:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(tint(frame.image, request), format="rgb24")))
        container.mux(stream.encode())


def build_report(request: EditRequest, info: MediaInfo) -> dict[str, Any]:
    """A report with the keys that the page reads."""
    is_video = not info.is_still
    target = request.emotion or "happy"
    before = {name: 0.7 if name == "neutral" else 0.05 for name in EMOTIONS}
    after = {name: 0.82 if name == target else 0.03 for name in EMOTIONS}
    report = {
        "software": {"name": "asccl", "version": "0"},
        "request": {"emotion": request.emotion, "intensity": request.intensity, "badge": request.badge},
        "source": {
            "width": info.width,
            "height": info.height,
            "frame_rate": str(info.frame_rate),
            "duration": info.duration,
            "frames": info.frames,
        },
        "frames": build_frame_counts(info),
        "speech": {
            "lip_gap_correlation": 0.987 if is_video else None,
            "lip_distance_percent": 2.2,
            "closures_kept": 1.0 if is_video else None,
            "closed_frames": 12 if is_video else None,
        },
        "identity": {"similarity": 0.914},
        "emotion": {
            "target": request.emotion,
            "before": before[target],
            "after": after[target],
            "probabilities_before": before,
            "probabilities_after": after,
        },
        "curves": build_curves(info.duration),
        "seconds": {"track and fit": 1.01, "render": 1.9, "read out": 0.3, "encode": 0.2, "total": 3.4},
        "weights": [{"name": "arcface", "file": "mobilefacenet-arcface.safetensors", "sha256": "0123456789abcdef" * 4}],
    }
    return json.loads(json.dumps(report))


def build_frame_counts(info: MediaInfo) -> dict[str, Any]:
    unchanged = 0 if info.is_still else 5
    span = {"first": 10, "last": 14, "start": 0.4, "end": 0.56, "reason": "turned"}
    return {
        "total": info.frames,
        "edited": info.frames - unchanged,
        "passed_through": unchanged,
        "unreadable": 0,
        "spans": [span] if unchanged else [],
    }


def build_curves(seconds: float) -> dict[str, list[float]]:
    """Lip gaps over time; empty for a still."""
    times = np.linspace(0, seconds, 80 if seconds else 0)
    gaps = np.clip(0.12 * np.abs(np.sin(5 * times)) * (0.6 + 0.4 * np.sin(1.7 * times)), 0, None)
    edited = gaps * 1.07 + 0.002 * np.sin(40 * times)
    return {"time": times.tolist(), "lip_gap_source": gaps.tolist(), "lip_gap_edited": edited.tolist()}
