"""Labels in MEAD file names (Wang et al., ECCV 2020): `<ID>/video/<view>/<emotion>/level_<k>/<NNN>.mp4`."""

from __future__ import annotations

import re
from pathlib import Path

from asccl.data.labels import Labels

SHARED_SENTENCES = 3  # the first sentences have the same text in every emotion
NAME_PATTERN = re.compile(
    r"(?P<person>[MW]\d{3})/video/(?P<view>\w+)/(?P<emotion>[a-z]+)/level_(?P<level>\d)/(?P<sentence>\d{3})$"
)


def clip_name(path: Path) -> str | None:
    """Return the part of a path from the person's folder on, None for a path outside of MEAD's folders."""
    match = NAME_PATTERN.search(path.with_suffix("").as_posix())
    return match and match.group() + path.suffix


def parse_labels(path: Path) -> Labels | None:
    """Return the labels in a MEAD path, None for other paths. The eighth emotion, contempt, is returned as it is."""
    match = NAME_PATTERN.search(path.with_suffix("").as_posix())
    if match is None:
        return None
    person, view, emotion, level, sentence = match.groups()
    words = sentence if int(sentence) <= SHARED_SENTENCES else f"{emotion}-{sentence}"
    return Labels(person, emotion, words, int(level), view)
