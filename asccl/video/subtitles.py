"""Write subtitles and chapters to MP4, which holds text (mov_text) but no pictures of text."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
from av.subtitles.subtitle import SubtitleSet

from asccl.video.container import codec_name
from asccl.video.sound import OutputSpan, copy_description, describe_track

TEXT_CODECS = frozenset({"ass", "ssa", "subrip", "text", "webvtt", "mov_text"})
TIME_BASE = Fraction(1, 1000)  # seconds
MAX_TEXT = 32_000  # bytes of one subtitle, which MP4 can hold


def reason_to_drop(stream: Any) -> str:
    """Say why MP4 cannot hold a track of subtitles; empty if it can."""
    codec = codec_name(stream)
    if codec in TEXT_CODECS:
        return ""
    return f"MP4 holds subtitles that are text, and not {codec}"


class SubtitleTrack:
    """Writes subtitles that are text as mov_text, with their italics and colours.

    Args:
        stream: of the source.
        output: av.OutputContainer, which gets a new stream.

    Attributes:
        report: what becomes of the track.
    """

    def __init__(self, stream: Any, output: Any):
        self._output = output
        self._decoder = stream.codec_context
        self._decoder.open(strict=False)
        self._stream = output.add_stream("mov_text")
        self._stream.time_base = TIME_BASE
        self._stream.codec_context.subtitle_header = self._decoder.subtitle_header
        copy_description(stream, self._stream)
        is_copy = codec_name(stream) == "mov_text"
        reason = "" if is_copy else f"MP4 holds subtitles as mov_text, and not as {codec_name(stream)}"
        self.report = describe_track(stream, "copied" if is_copy else "encoded", "mov_text", reason)
        self._last: int | None = None

    def add(self, packet: Any, span: OutputSpan) -> None:
        """Write a packet of the span."""
        time = round((packet.pts * packet.time_base - span.start) / TIME_BASE)
        if time < 0 or (self._last is not None and time <= self._last):
            self.report.damaged += 1
            return
        try:
            texts = self._decoder.decode2(packet)
            text = b"\\N".join(rect.ass for rect in texts or () if rect.ass)[:MAX_TEXT]
            if not text:
                return
            encoded = self._stream.codec_context.encode_subtitle(SubtitleSet.create(text, 0, 0))
        except (av.error.FFmpegError, ValueError, AttributeError):
            self.report.damaged += 1
            return
        encoded.pts = encoded.dts = self._last = time
        duration = packet.duration * packet.time_base
        if span.end != float("inf"):
            duration = min(duration, span.end - packet.pts * packet.time_base)
        encoded.duration, encoded.time_base = round(duration / TIME_BASE), TIME_BASE
        encoded.stream = self._stream
        self._output.mux_one(encoded)

    def finish(self, span: OutputSpan) -> None:
        """Subtitles are never buffered."""


def chapters_of_span(chapters: Sequence[Any], span: OutputSpan) -> list[dict[str, Any]]:
    """The chapters within a span, as `av.OutputContainer.set_chapters` takes them."""
    result: list[dict[str, Any]] = []
    for chapter in chapters:
        base = chapter["time_base"] or Fraction(1)
        start, end = (chapter[key] * base - span.start for key in ("start", "end"))
        start, end = max(start, Fraction(0)), min(end, span.end - span.start)
        if start < end:
            times = {"start": round(start / TIME_BASE), "end": round(end / TIME_BASE), "time_base": TIME_BASE}
            metadata = {key: value.encode("utf-8", "replace").decode() for key, value in chapter["metadata"].items()}
            result.append({"id": len(result) + 1, **times, "metadata": metadata})
    return result
