"""Read and write videos and stills with PyAV and Pillow. Start at reader.py and writer.py."""

from asccl.video.limits import Limits
from asccl.video.reader import Reader, iterate_samples, probe, read_frame_at, sample_frames
from asccl.video.stills import StillWriter
from asccl.video.watermark import draw_badge
from asccl.video.writer import EncodeSettings, Writer, default_output, open_writer, read_tags

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
    "read_tags",
    "sample_frames",
]
