"""Read and write still images: writes PNG, JPEG and WebP; reads those and BMP, TIFF, GIF, AVIF and more.

Colour profiles: RGB pixels stay in the colours of the image's own ICC profile, which is written back, so no colour
shifts. Gray, CMYK and other images are converted to sRGB. EXIF is kept, with the orientation applied and removed.
An animated GIF, PNG or AVIF counts as a video; an animated WebP, which FFmpeg does not read, gives its first image.
"""

from __future__ import annotations

import io
import json
import warnings
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import ExifTags, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError
from PIL import Image as Pillow

from asccl.errors import LimitError, UnreadableError
from asccl.files import AtomicFile
from asccl.types import Frame, Image, MediaInfo
from asccl.video.colour import flatten_alpha
from asccl.video.limits import UNLIMITED, Limits

STILL_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
READABLE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "JPEG2000", "PPM")
ANIMATED_FORMATS = ("PNG", "GIF", "AVIF")
DAMAGE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    KeyError,
    TypeError,
    IndexError,
    OverflowError,
    MemoryError,
)
JPEG_QUALITY = WEBP_QUALITY = 95


def is_still(path: Path, limits: Limits) -> bool:
    """Whether the content, not the name, is an image without animation.

    Raises:
        LimitError: the image is too large.
    """
    image = _open(path, limits)
    if image is None:
        return False
    with image:
        return not (image.format in ANIMATED_FORMATS and getattr(image, "is_animated", False))


def still_info(path: Path, limits: Limits) -> MediaInfo:
    """Describe a still; reads all of it.

    Raises:
        UnreadableError: the file cannot be decoded.
        LimitError: the image is too large.
    """
    height, width = read_still(path, limits).shape[:2]
    return MediaInfo(path, width, height, Fraction(0), Fraction(1), 0.0, 1, is_still=True)


def read_still(path: Path, limits: Limits) -> Image:
    """Read a still as (H, W, 3) uint8 RGB, upright, alpha over black.

    Raises:
        UnreadableError: the file cannot be decoded.
        LimitError: the image is too large.
    """
    image = _open(path, limits)
    if image is None:
        raise UnreadableError(f"{path.name} is not a readable image", "save it as PNG or JPEG")
    try:
        with image:
            return _to_rgb(ImageOps.exif_transpose(image))
    except DAMAGE_ERRORS as error:
        raise UnreadableError(f"{path.name} is damaged ({error})", "copy or export it again") from None


class StillWriter:
    """Writes one frame as PNG, JPEG (quality 95, 4:4:4) or WebP, with the ICC profile and EXIF of `source`.

    The file appears complete on leaving the `with` block, or not at all.

    Args:
        target: the file to write; its ending selects the format.
        source: a still whose ICC profile and EXIF are kept; None keeps nothing.
        tags: written to EXIF (Software, ImageDescription, all as JSON in UserComment) and to the text chunks of a PNG.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, target: Path, source: Path | None, tags: dict[str, str]):
        self.tags = tags
        self._format = STILL_SUFFIXES[target.suffix.lower()]
        self._exif, self._profile = Pillow.Exif(), None
        image = _open(source, UNLIMITED) if source is not None else None
        if image is not None:
            with image:
                self._exif = image.getexif()
                self._profile = image.info.get("icc_profile") if _keeps_profile(image) else None
        self._file = AtomicFile(target)
        self._image: Image | None = None

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
            self._save(Pillow.fromarray(self._image))

    def _save(self, image: Pillow.Image) -> None:
        options: dict = {"exif": self._exif_with_tags(), "icc_profile": self._profile}
        if self._format == "JPEG":
            options |= {"quality": JPEG_QUALITY, "subsampling": 0, "optimize": True}
        elif self._format == "WEBP":
            options |= {"quality": WEBP_QUALITY, "method": 4}
        else:
            text = PngImagePlugin.PngInfo()
            for key, value in self.tags.items():
                text.add_itxt(key, value)
            options["pnginfo"] = text
        image.save(self._file.temporary_path, self._format, **options)

    def _exif_with_tags(self) -> bytes:
        exif = self._exif
        exif.pop(ExifTags.Base.Orientation, None)
        if "software" in self.tags:
            exif[ExifTags.Base.Software] = _to_ascii(self.tags["software"])
        if "comment" in self.tags:
            exif[ExifTags.Base.ImageDescription] = _to_ascii(self.tags["comment"])
        if self.tags:
            exif_ifd = exif.get_ifd(ExifTags.IFD.Exif)
            exif_ifd[ExifTags.Base.UserComment] = b"ASCII\0\0\0" + json.dumps(self.tags).encode()
        return exif.tobytes()


def read_still_tags(path: Path) -> dict[str, str]:
    """Read the tags that StillWriter wrote; empty if there are none."""
    image = _open(path, UNLIMITED)
    if image is None:
        return {}
    with image:
        comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
    comment = comment.encode() if isinstance(comment, str) else comment
    try:
        tags = json.loads(comment.removeprefix(b"ASCII\0\0\0"))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in tags.items()} if isinstance(tags, dict) else {}


def _open(path: Path, limits: Limits) -> Pillow.Image | None:
    """Read the header only; None if the file is not an image. Raises LimitError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)  # checked below, at a lower limit
            image = Pillow.open(path, formats=READABLE_FORMATS)
    except Pillow.DecompressionBombError:
        millions = limits.max_still_pixels / 1e6
        raise LimitError(f"{path.name} has more than {millions:.3g} million pixels", "make it smaller first") from None
    except (UnidentifiedImageError, *DAMAGE_ERRORS):
        return None
    try:
        limits.check_size(path, *image.size, is_still=True)
    except LimitError:
        image.close()
        raise
    return image


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
    return np.array(image.convert("RGB"))


def _to_ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
