"""Read and write still images: writes PNG, JPEG and WebP; reads those and BMP, TIFF, GIF, AVIF, HEIC, ICO and more.

Colour profiles: RGB pixels stay in the colours of the image's own ICC profile, which is written back, so no colour
shifts. Grey, CMYK and other images are converted to sRGB. Transparency is kept, except in JPEG, where it becomes white.
EXIF is kept, with the orientation applied and removed; what cannot be kept is named in `StillWriter.dropped`.
An animated GIF, PNG, AVIF or WebP counts as a video.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageCms

from asccl.errors import SettingError, UnreadableError
from asccl.files import AtomicFile
from asccl.types import Frame, Image, MediaInfo
from asccl.video.colour import flatten_alpha
from asccl.video.image_file import ANIMATED_FORMATS, decoding_errors, load_image, open_image, orientation, upright
from asccl.video.limits import UNLIMITED, Limits
from asccl.video.still_metadata import StillMetadata, read_comment

STILL_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
MAX_SIDES = {"JPEG": 65_500, "WEBP": 16_383}  # pixels that the encoders accept
JPEG_QUALITY = WEBP_QUALITY = 95
ROWS_AT_ONCE = 256  # of a transparent image, so that intermediate results need little memory


def is_still(path: Path, limits: Limits) -> bool:
    """Whether the content, not the name, is an image without animation.

    Raises:
        UnreadableError: the image needs a package that is not installed.
        LimitError: the image is too large.
    """
    image = open_image(path, limits)
    if image is None:
        return False
    with image:
        if image.format not in ANIMATED_FORMATS:
            return True
        try:
            with decoding_errors(path):
                return not getattr(image, "is_animated", False)
        except UnreadableError:  # of a later image: the video decoder copes with damage
            return False


def still_info(path: Path, limits: Limits) -> MediaInfo:
    """Describe a still; decodes it.

    Raises:
        UnreadableError: the file cannot be decoded.
        LimitError: the image is too large.
    """
    with load_image(path, limits) as image:
        width, height = image.size if orientation(image) < 5 else image.size[::-1]
    return MediaInfo(path, width, height, Fraction(0), Fraction(1), 0.0, 1, is_still=True)


def read_still(path: Path, limits: Limits) -> Image:
    """Read a still as (H, W, 3) uint8 RGB, upright, alpha over black.

    Raises:
        UnreadableError: the file cannot be decoded.
        LimitError: the image is too large.
    """
    with load_image(path, limits) as image, decoding_errors(path):
        return _to_rgb(upright(image))


def check_still_size(target: Path, info: MediaInfo) -> None:
    """Raise SettingError if the format of a target cannot hold an image of this size."""
    file_format = STILL_FORMATS[target.suffix.lower()]
    if max(info.width, info.height) > MAX_SIDES.get(file_format, max(info.width, info.height)):
        raise SettingError(
            f"{target.name} cannot hold {info.width} x {info.height} pixels: {file_format} has at most "
            f"{MAX_SIDES[file_format]} a side",
            "choose a name that ends in .png",
        )


class StillWriter:
    """Writes one frame as PNG, JPEG (quality 95, 4:4:4) or WebP, with the ICC profile, EXIF and alpha of `source`.

    The file appears complete on leaving the `with` block, or not at all.

    Args:
        target: the file to write; its ending selects the format.
        source: a still whose ICC profile, EXIF and alpha are kept; None keeps nothing.
        tags: written to EXIF (Software, ImageDescription, all as JSON in UserComment) and to the text chunks of a PNG.
        finish: is called with the path of the complete file before it gets its name; may replace it.

    Attributes:
        dropped: after the `with` block, names of the metadata of the source that could not be kept.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(
        self,
        target: Path,
        source: Path | None,
        tags: dict[str, str],
        finish: Callable[[Path], None] | None = None,
    ):
        self.tags = tags
        self._finish = finish or (lambda _: None)
        self.dropped: tuple[str, ...] = ()
        self._source = source
        self._format = STILL_FORMATS[target.suffix.lower()]
        self._file = AtomicFile(target)
        self._image: Image | None = None

    def track_report(self) -> dict[str, Any]:
        """A still has no sound, subtitles or chapters."""
        return {}

    def write(self, frame: Frame) -> None:
        """Set the image, (H, W, 3) uint8 RGB; the last call counts."""
        self._image = frame.image

    def __enter__(self) -> StillWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._file.discard()
            return
        with self._file:
            if self._image is None:
                raise ValueError("no frame was written")
            metadata, pixels = self._inherit(self._image)
            self._image = None
            self._save(Pillow.fromarray(pixels), metadata)
            self._finish(self._file.temporary_path)

    def _inherit(self, edited: Image) -> tuple[StillMetadata, np.ndarray]:
        """The metadata of the source, and the edited image with the alpha of the source, (H, W, 3 or 4) uint8."""
        if self._source is None:
            return StillMetadata(), edited
        with load_image(self._source, UNLIMITED) as image:
            metadata = StillMetadata.read(image)
            if not _keeps_profile(image):
                metadata.icc_profile = None
            if not image.has_transparency_data:
                return metadata, edited
            rgba = np.array(upright(image).convert("RGBA"))
        _insert_edit(rgba, edited)
        return metadata, rgba

    def _save(self, image: Pillow.Image, metadata: StillMetadata) -> None:
        metadata.add_tags(self.tags)
        options = metadata.save_options(self._format)
        if self._format == "JPEG":
            options |= {"quality": JPEG_QUALITY, "subsampling": 0, "optimize": True}
            if image.mode == "RGBA":
                background = Pillow.new("RGB", image.size, "white")
                background.paste(image, mask=image.getchannel("A"))
                image = background
        elif self._format == "WEBP":
            options |= {"quality": WEBP_QUALITY, "method": 4, "exact": True}
        image.save(self._file.temporary_path, self._format, **options)
        self.dropped = tuple(metadata.dropped)


def read_still_tags(path: Path) -> dict[str, str]:
    """Read the tags that StillWriter wrote; empty if there are none."""
    image = open_image(path, UNLIMITED)
    if image is None:
        return {}
    with image:
        return read_comment(image)


def _insert_edit(rgba: np.ndarray, edited: Image) -> None:
    """Replace the pixels of an image that an edit changed; the others keep their exact colour and alpha.

    Args:
        rgba: the source, (H, W, 4) uint8, alpha not premultiplied; changed in place.
        edited: the source over black, edited, (H, W, 3) uint8 RGB.
    """
    for first in range(0, len(rgba), ROWS_AT_ONCE):
        rows, edited_rows = rgba[first : first + ROWS_AT_ONCE], edited[first : first + ROWS_AT_ONCE]
        changed = (flatten_alpha(rows) != edited_rows).any(-1)
        colours = edited_rows[changed].astype(np.float32)
        alpha = np.maximum(rows[changed][:, 3:].astype(np.float32), colours.max(-1, keepdims=True, initial=1))
        rows[changed] = np.concatenate([colours * 255 / alpha, alpha], axis=-1).round().astype(np.uint8)


def _keeps_profile(image: Pillow.Image) -> bool:
    return image.mode in ("RGB", "RGBA", "RGBX", "P", "PA")


def _to_rgb(image: Pillow.Image) -> Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        image = Pillow.fromarray((np.clip(np.asarray(image, np.int64), 0, 65535) / 257).round().astype(np.uint8))
    elif image.mode == "F":
        image = Pillow.fromarray(np.clip(np.nan_to_num(np.asarray(image)), 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        return flatten_alpha(np.asarray(image.convert("RGBA")))
    profile = image.info.get("icc_profile")
    if profile and not _keeps_profile(image):
        try:
            source_profile = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source_profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
            image = image if converted is None else converted
        except (ImageCms.PyCMSError, OSError):  # a broken or unsuitable profile is ignored
            pass
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))
