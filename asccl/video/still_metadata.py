"""The metadata of a still: what its copy keeps, and what it cannot keep.

A picture is never lost over its metadata: an entry that is damaged, or that the format of the copy cannot hold, is left
out, and its name is returned.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from PIL import ExifTags, PngImagePlugin
from PIL import Image as Pillow

from asccl.video.image_file import DAMAGED_METADATA

MAX_BYTES = {"JPEG": {"exif": 65_533, "icc_profile": 255 * 65_519}}  # segments of a JPEG file
OTHER_METADATA = {
    "xmp": "XMP",
    "XML:com.adobe.xmp": "XMP",
    "photoshop": "IPTC",
    "comment": "comment",
    DAMAGED_METADATA: DAMAGED_METADATA,
}  # entries of `Image.info`
SUBFOLDERS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
LAYOUT_TAGS = frozenset(
    {*range(254, 260), 262, 266, *range(273, 275), *range(277, 280), 284, *range(317, 326), 330, *range(338, 342), 347}
    | {*range(529, 533), 700, 33723, 34377, 34675, 40965}
)  # how the source stores its pixels and its other metadata
USER_COMMENT_PREFIX = b"ASCII\0\0\0"


@dataclass
class StillMetadata:
    """EXIF and ICC profile of a still.

    Attributes:
        exif: entries by tag; the entries of a subfolder are a dict.
        icc_profile: None without one.
        text: text chunks of a PNG.
        dropped: names of the entries that could not be read or kept.
    """

    exif: dict[int, Any] = field(default_factory=dict)
    icc_profile: bytes | None = None
    text: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    _tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, image: Pillow.Image) -> StillMetadata:
        """Read the metadata of an image that has been decoded."""
        metadata = cls(icc_profile=image.info.get("icc_profile"))
        for key, value in (image.text if isinstance(image, PngImagePlugin.PngImageFile) else {}).items():
            if key not in OTHER_METADATA:
                metadata.text[key] = str(value)
        metadata.dropped += dict.fromkeys(name for key, name in OTHER_METADATA.items() if image.info.get(key))
        if "icc_profile" in image.info and not metadata.icc_profile:
            metadata.dropped.append("ICC profile")
        try:
            exif = image.getexif()
            entries = dict(exif)
            entries |= {folder: dict(exif.get_ifd(folder)) for folder in SUBFOLDERS if folder in exif}
        except Exception:  # EXIF that cannot be parsed raises errors of any kind
            metadata.dropped.append("EXIF")
            return metadata
        for tag, value in entries.items():
            if isinstance(value, dict):
                metadata.exif[tag] = {key: item for key, item in value.items() if metadata._can_keep(key, item, tag)}
            elif metadata._can_keep(tag, value):
                metadata.exif[tag] = value
        return metadata

    def add_tags(self, tags: dict[str, str]) -> None:
        """Add the software, the comment and all tags as JSON to the EXIF entries, and the tags to the text chunks."""
        self._tags = tags
        if "software" in tags:
            self.exif[ExifTags.Base.Software] = _to_ascii(tags["software"])
        if "comment" in tags:
            self.exif[ExifTags.Base.ImageDescription] = _to_ascii(tags["comment"])
        if tags:
            folder = self.exif.setdefault(ExifTags.IFD.Exif, {})
            folder[ExifTags.Base.UserComment] = USER_COMMENT_PREFIX + json.dumps(tags).encode()

    def save_options(self, file_format: str) -> dict[str, Any]:
        """Options of `Image.save` that write the metadata; drops what the format cannot hold, largest entries first."""
        limits = MAX_BYTES.get(file_format, {})
        if self.icc_profile and len(self.icc_profile) > limits.get("icc_profile", len(self.icc_profile)):
            self.icc_profile = None
            self.dropped.append("ICC profile")
        while len(data := _serialize(self.exif)) > limits.get("exif", len(data)):
            self._drop_largest()
        options = {"exif": data, "icc_profile": self.icc_profile}
        if file_format == "PNG":
            return {**options, "pnginfo": self._text_chunks()}
        self.dropped += [f"text {key}" for key in self.text if key not in self._tags]
        return options

    def _text_chunks(self) -> PngImagePlugin.PngInfo:
        chunks = PngImagePlugin.PngInfo()
        for key, value in (self.text | self._tags).items():
            try:
                chunks.add_itxt(key, value)
            except Exception:  # of text that was damaged
                self.dropped.append(f"text {key}")
        return chunks

    def _can_keep(self, tag: int, value: Any, folder: int = 0) -> bool:
        if tag in LAYOUT_TAGS:
            return False
        try:
            _serialize({tag: value})
        except Exception:  # a value of the wrong type raises errors of any kind
            self.dropped.append(_entry_name(tag, folder))
            return False
        return True

    def _drop_largest(self) -> None:
        places = [(self.exif, tag, 0) for tag, value in self.exif.items() if not isinstance(value, dict)]
        for folder in self.exif.keys() & set(SUBFOLDERS):
            places += [(self.exif[folder], tag, folder) for tag in self.exif[folder]]
        entries, tag, folder = max(places, key=lambda place: len(_serialize({place[1]: place[0][place[1]]})))
        del entries[tag]
        self.dropped.append(_entry_name(tag, folder))


def read_comment(image: Pillow.Image) -> dict[str, str]:
    """The tags that `StillMetadata.add_tags` wrote; empty if there are none."""
    try:
        comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
        comment = comment.encode() if isinstance(comment, str) else bytes(comment)
        tags = json.loads(comment.removeprefix(USER_COMMENT_PREFIX))
    except Exception:  # damaged EXIF raises errors of any kind
        return {}
    return {str(key): str(value) for key, value in tags.items()} if isinstance(tags, dict) else {}


def _serialize(entries: dict[int, Any]) -> bytes:
    exif = Pillow.Exif()
    for tag, value in entries.items():
        exif[tag] = value
    return exif.tobytes()


def _entry_name(tag: int, folder: int) -> str:
    names = ExifTags.GPSTAGS if folder == ExifTags.IFD.GPSInfo else ExifTags.TAGS
    return f"EXIF {names.get(tag, tag)}"


def _to_ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
