"""The metadata of a file: what a copy inherits, and what was written."""

from __future__ import annotations

from pathlib import Path

from asccl.errors import UnreadableError
from asccl.video.container import open_container, read_container_metadata
from asccl.video.limits import UNLIMITED
from asccl.video.stills import STILL_FORMATS, read_still_tags

CONTAINER_METADATA = {
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "duration",
    "rotate",
}  # keys that describe the source file


def inherited_metadata(source: Path) -> dict[str, str]:
    """Metadata of a video that its copy keeps. Raises UnreadableError, LimitError."""
    with open_container(source, UNLIMITED.max_pixels) as container:
        return {
            key: value
            for key, value in read_container_metadata(container).items()
            if key.lower() not in CONTAINER_METADATA
        }


def read_tags(path: Path | str) -> dict[str, str]:
    """Read the metadata of a video or still, keys in lower case; empty if there are none.

    Raises:
        UnreadableError: the file cannot be opened.
    """
    path = Path(path)
    UNLIMITED.check_file(path)
    if tags := read_still_tags(path):
        return tags
    try:
        with open_container(path, UNLIMITED.max_pixels) as container:
            return {key.lower(): value for key, value in read_container_metadata(container).items()}
    except UnreadableError:
        if path.suffix.lower() in STILL_FORMATS:
            return {}
        raise
