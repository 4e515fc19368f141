"""`python fake_edit.py FRAMES edit ...`: the command with an editor without networks, so that it starts at once."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import ModuleType

from asccl.__main__ import main
from asccl.files import AtomicFile, open_temporary_file
from asccl.progress import Progress
from asccl.types import EditRequest, EditResult, MediaInfo
from asccl.video import probe

FRAMES = int(sys.argv[1])
REPORT = {
    "frames": {"total": 1, "edited": 1, "unreadable": 0, "spans": []},
    "speech": {"lip_gap_correlation": None, "lip_distance_percent": None, "closures_kept": None},
    "identity": {"similarity": None},
    "emotion": {"target": "sad", "before": None, "after": None},
    "seconds": {"total": 1.0},
}


class Editor:
    def __init__(self, device: str):
        self.device = device

    def probe(self, source: Path) -> MediaInfo:
        return probe(source)

    def edit(self, request: EditRequest, progress: Progress) -> EditResult:
        assert request.output is not None
        self.probe(request.source)
        with AtomicFile(request.output), open_temporary_file():
            for frame in range(FRAMES):
                progress("render", frame / FRAMES)
                time.sleep(0.02)
        return EditResult(request.output, REPORT)


def replace_editor() -> None:
    """Put the editor and its setting of threads, which import the networks, into their places."""
    modules = {"asccl.editing.editor": {"Editor": Editor}, "asccl.editing.threads": {"limit_threads": lambda: None}}
    for name, members in modules.items():
        module = ModuleType(name)
        module.__dict__.update(members)
        sys.modules[name] = module


if __name__ == "__main__":
    replace_editor()
    raise SystemExit(main(sys.argv[2:]))
