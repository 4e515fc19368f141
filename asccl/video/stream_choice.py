"""Select the film among the video streams of a file: not its thumbnails, covers and stills."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import av

MAX_COUNTED_PACKETS = 500  # of all streams, until one with a single picture counts as a still


def select_film(streams: list[Any], reopen: Callable[[], Any]) -> Any:
    """Select the stream with the most pixels among those with several pictures, or among all if none has several.

    A file may hold a still beside its film, for instance a cover that is larger than the film, or the first picture of
    an animated AVIF. Colour wins over grey, which may be transparency.

    Args:
        streams: the video streams of a file, at least one.
        reopen: opens the file once more, to count pictures.
    """
    if len(streams) == 1:
        return streams[0]
    with reopen() as container:
        pictures = _count_pictures(container, [stream.index for stream in streams])
    films = [stream for stream in streams if pictures[stream.index] > 1] or streams
    return max(films, key=lambda s: (s.codec_context.width * s.codec_context.height, not _is_grey(s)))


def _count_pictures(container: Any, indices: list[int]) -> Counter[int]:
    """Number of pictures of each stream, up to 2 where the file is long; reads packets without decoding them."""
    counts: Counter[int] = Counter()
    try:
        for number, packet in enumerate(container.demux([container.streams[index] for index in indices])):
            counts[packet.stream_index] += bool(packet.size)
            if number >= MAX_COUNTED_PACKETS or all(counts[index] > 1 for index in indices):
                break
    except av.error.FFmpegError:  # the part that can be read is enough
        pass
    return counts


def _is_grey(stream: Any) -> bool:
    pixel_format = stream.codec_context.format
    return pixel_format is not None and len(pixel_format.components) == 1
