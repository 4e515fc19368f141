"""What MEAD's file names say (Wang et al., ECCV 2020): `<ID>/video/<view>/<emotion>/level_<k>/<NNN>.mp4`."""

from __future__ import annotations

import re
from pathlib import Path

from asccl.data.labels import Labels

SHARED_SENTENCES = 3  # sentences, the first ones, are the same text in every emotion
NAME_PATTERN = re.compile(
    r"(?P<person>[MW]\d{3})/video/(?P<view>\w+)/(?P<emotion>[a-z]+)/level_(?P<level>\d)/(?P<n>\d{3})$"
)


def clip_name(path: Path) -> str | None:
    """The part of a path that MEAD's folders make, wherever they lie; None elsewhere."""
    found = NAME_PATTERN.search(path.with_suffix("").as_posix())
    return found and found.group() + path.suffix


def parse_labels(path: Path) -> Labels | None:
    """Of a clip in MEAD's folders; None elsewhere. The eighth emotion, contempt, is told as it is."""
    found = NAME_PATTERN.search(path.with_suffix("").as_posix())
    if found is None:
        return None
    person, view, emotion, level, n = found.groups()
    words = n if int(n) <= SHARED_SENTENCES else f"{emotion}-{n}"
    return Labels(person, emotion, words, int(level), view)
