"""Read and write videos and stills with PyAV and Pillow. Start at reader.py and writer.py."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asccl.video.limits import Limits
    from asccl.video.reader import Reader, iterate_samples, probe, read_frame_at, read_frames_at, sample_frames
    from asccl.video.stills import StillWriter
    from asccl.video.tags import read_tags
    from asccl.video.watermark import draw_badge
    from asccl.video.writer import EncodeSettings, Writer, default_output, open_writer

_MODULES = {
    "EncodeSettings": "writer",
    "Limits": "limits",
    "Reader": "reader",
    "StillWriter": "stills",
    "Writer": "writer",
    "default_output": "writer",
    "draw_badge": "watermark",
    "iterate_samples": "reader",
    "open_writer": "writer",
    "probe": "reader",
    "read_frame_at": "reader",
    "read_frames_at": "reader",
    "read_tags": "tags",
    "sample_frames": "reader",
}
__all__ = [
    "EncodeSettings",
    "Limits",
    "Reader",
    "StillWriter",
    "Writer",
    "default_output",
    "draw_badge",
    "iterate_samples",
    "open_writer",
    "probe",
    "read_frame_at",
    "read_frames_at",
    "read_tags",
    "sample_frames",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that training on prepared clips does not need PyAV."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
