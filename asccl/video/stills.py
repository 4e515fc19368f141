"""Still pictures in and out: PNG, JPEG, WebP out; those and BMP, TIFF, GIF, AVIF and more in.

Colour profiles: RGB pixels stay in the colours of the picture's own ICC profile, which is written back, so nothing
shifts. Gray, CMYK and other pictures are brought to sRGB. EXIF is kept, with the orientation applied and removed.
An animated GIF, PNG or AVIF counts as a video; an animated WebP, which FFmpeg does not read, gives its first picture.
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
READABLE = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "JPEG2000", "PPM")
ANIMATED = ("PNG", "GIF", "AVIF")
DAMAGE = (OSError, ValueError, SyntaxError, EOFError, KeyError, TypeError, IndexError, OverflowError, MemoryError)
JPEG_QUALITY = WEBP_QUALITY = 95


def is_still(path: Path, limits: Limits) -> bool:
    """Whether the content (not the name) is a picture that does not move. Raises LimitError."""
    image = _open(path, limits)
    if image is None:
        return False
    with image:
        return not (image.format in ANIMATED and getattr(image, "is_animated", False))


def still_info(path: Path, limits: Limits) -> MediaInfo:
    """Reads and checks the whole picture. Raises UnreadableError, LimitError."""
    height, width = read_still(path, limits).shape[:2]
    return MediaInfo(path, width, height, Fraction(0), Fraction(1), 0.0, 1, is_still=True)


def read_still(path: Path, limits: Limits) -> Image:
    """(H, W, 3) uint8 RGB, upright, alpha over black. Raises UnreadableError, LimitError."""
    image = _open(path, limits)
    if image is None:
        raise UnreadableError(f"{path.name} is not a picture that we can read", "save it as PNG or JPEG")
    try:
        with image:
            return _to_rgb(ImageOps.exif_transpose(image))
    except DAMAGE as error:
        raise UnreadableError(f"{path.name} is damaged ({error})", "copy or export it again") from None


class StillWriter:
    """Writes one frame as PNG, JPEG (quality 95, 4:4:4) or WebP, with the ICC profile and EXIF of `source`.

    tags go to EXIF (Software, ImageDescription, and all as JSON in UserComment), in a PNG also to text chunks.
    The file appears whole on leaving the `with` block, or not at all. Raises OutputError.
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
        self._target = AtomicFile(target)
        self._image: Image | None = None

    def write(self, frame: Frame) -> None:
        """frame.image: (H, W, 3) uint8 RGB. The last one written wins."""
        self._image = frame.image

    def __enter__(self) -> StillWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._target.discard()
            return
        with self._target:
            if self._image is None:
                raise ValueError("no frame was written")
            self._save(Pillow.fromarray(self._image))

    def _save(self, image: Pillow.Image) -> None:
        options: dict = {"exif": self._marked_exif(), "icc_profile": self._profile}
        if self._format == "JPEG":
            options |= {"quality": JPEG_QUALITY, "subsampling": 0, "optimize": True}
        elif self._format == "WEBP":
            options |= {"quality": WEBP_QUALITY, "method": 4}
        else:
            text = PngImagePlugin.PngInfo()
            for key, value in self.tags.items():
                text.add_itxt(key, value)
            options["pnginfo"] = text
        image.save(self._target.temporary_path, self._format, **options)

    def _marked_exif(self) -> bytes:
        exif = self._exif
        exif.pop(ExifTags.Base.Orientation, None)
        if "software" in self.tags:
            exif[ExifTags.Base.Software] = _ascii(self.tags["software"])
        if "comment" in self.tags:
            exif[ExifTags.Base.ImageDescription] = _ascii(self.tags["comment"])
        if self.tags:
            inner = exif.get_ifd(ExifTags.IFD.Exif)
            inner[ExifTags.Base.UserComment] = b"ASCII\0\0\0" + json.dumps(self.tags).encode()
        return exif.tobytes()


def read_still_tags(path: Path) -> dict[str, str]:
    """The tags that StillWriter wrote; empty where there are none."""
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
    """Reads the header only; None where it is not a picture. Raises LimitError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)  # checked below, at a lower limit
            image = Pillow.open(path, formats=READABLE)
    except Pillow.DecompressionBombError:
        most = limits.max_still_pixels / 1e6
        raise LimitError(f"{path.name} has more than {most:.3g} million pixels", "make it smaller first") from None
    except (UnidentifiedImageError, *DAMAGE):
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
            own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"), outputMode="RGB")
            image = image if converted is None else converted
        except (ImageCms.PyCMSError, OSError):  # a broken or unfitting profile says nothing about the colours
            pass
    return np.array(image.convert("RGB"))


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
