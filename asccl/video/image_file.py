"""Open image files with Pillow, despite damaged metadata.

A decoder may raise any kind of exception on damaged bytes, so the calls to Pillow are enclosed in `decoding_errors`.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from PIL import ExifTags
from PIL import Image as Pillow

from asccl.errors import AscclError, LimitError, UnreadableError, first_line
from asccl.video.limits import Limits

READABLE_FORMATS: tuple[str, ...] = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "JPEG2000", "PPM", "ICO")
ANIMATED_FORMATS = ("PNG", "GIF", "AVIF", "WEBP")
MOTION_JPEG_SUFFIXES = (".mjpeg", ".mjpg")  # Pillow takes such a file for its first picture
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")
BRANDS_END = 64  # bytes of a file among which its brands are searched
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
DAMAGED_METADATA = "damaged metadata"  # entry of `Image.info` of an image that was opened without its metadata
TRANSPOSITIONS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}  # by the value of EXIF's orientation
REMEDY = "copy or export it again"


def read_start(path: Path, count: int) -> bytes:
    """Read the first bytes of a file; none where it cannot be opened, which the decoder reports."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError:
        return b""


@contextmanager
def decoding_errors(path: Path) -> Iterator[None]:
    """Raise any error of a decoder as UnreadableError, and print none of its warnings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (AscclError, Pillow.DecompressionBombError):
        raise
    except MemoryError:
        raise LimitError(f"{path.name} asks for more memory than there is", "make it smaller first") from None
    except Exception as error:
        problem = " ".join(first_line(error).split())
        raise UnreadableError(f"{path.name} is damaged ({problem})", REMEDY) from None


def open_image(path: Path, limits: Limits) -> Pillow.Image | None:
    """Read the header of an image, to be closed by the caller.

    Returns:
        The image; None if the file is not an image that Pillow can open.

    Raises:
        UnreadableError: the image needs a package that is not installed.
        LimitError: the image is too large.
    """
    if path.suffix.lower() in MOTION_JPEG_SUFFIXES:
        return None
    formats = READABLE_FORMATS
    if _is_heif(path):
        formats = ("HEIF",)
        _register_heif(path)
    try:
        with decoding_errors(path):
            image = _open_despite_metadata(path, formats)
    except Pillow.DecompressionBombError:
        millions = limits.max_still_pixels / 1e6
        raise LimitError(f"{path.name} has more than {millions:.3g} million pixels", "make it smaller first") from None
    except UnreadableError:
        return None
    try:
        limits.check_size(path, *image.size, is_still=True)
    except LimitError:
        image.close()
        raise
    return image


def load_image(path: Path, limits: Limits) -> Pillow.Image:
    """Decode an image as stored (see `upright`), to be closed by the caller; without metadata that prevent it.

    Raises:
        UnreadableError: the file cannot be decoded.
        LimitError: the image is too large.
    """
    image = open_image(path, limits)
    if image is None:
        raise UnreadableError(f"{path.name} is not a readable image", "save it as PNG or JPEG")
    try:
        with decoding_errors(path):
            image.load()
    except UnreadableError:
        image.close()
        bare = _open_without_metadata(path)
        if bare is None:
            raise
        with decoding_errors(path):
            bare.load()
        return bare
    return image


def orientation(image: Pillow.Image) -> int:
    """EXIF's orientation, 1 to 8; 1 where it is missing or unreadable."""
    with suppress(Exception):  # of damaged EXIF
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
        return int(value) if value in range(1, 9) else 1
    return 1


def upright(image: Pillow.Image) -> Pillow.Image:
    """Apply EXIF's orientation."""
    method = TRANSPOSITIONS.get(orientation(image))
    return image if method is None else image.transpose(method)


def _open_despite_metadata(path: Path, formats: tuple[str, ...]) -> Pillow.Image:
    """Open an image, without metadata that prevent it."""
    try:
        return Pillow.open(path, formats=formats)
    except Pillow.DecompressionBombError:
        raise
    except Exception:  # of any decoder
        image = _open_without_metadata(path)
        if image is None:
            raise
        return image


def _open_without_metadata(path: Path) -> Pillow.Image | None:
    """Open a PNG by its pixels alone; None for another file and for a damaged header."""
    if read_start(path, len(PNG_SIGNATURE)) != PNG_SIGNATURE:
        return None
    data = path.read_bytes()
    chunks, position = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while position + 12 <= len(data):  # length, kind, content, checksum
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] in PNG_PIXEL_CHUNKS:
            chunks.append(data[position:end])
        position = end
    try:
        image = Pillow.open(io.BytesIO(b"".join(chunks)), formats=["PNG"])
    except Exception:  # the header is damaged as well
        return None
    image.info[DAMAGED_METADATA] = True
    return image


def _is_heif(path: Path) -> bool:
    start = read_start(path, BRANDS_END)
    if start[4:8] != b"ftyp" or start[8:12] in AVIF_BRANDS:
        return False
    size = int.from_bytes(start[:4], "big")
    brands = {start[8:12], *(start[i : i + 4] for i in range(16, min(size, len(start)), 4))}
    return start[8:12] in HEIF_BRANDS and not brands & set(AVIF_BRANDS)


def _register_heif(path: Path) -> None:
    """Let Pillow open HEIC photos. Raises UnreadableError if the package for it is not installed."""
    try:
        import pillow_heif
    except ImportError:
        raise UnreadableError(
            f"{path.name} is a HEIC photo, which needs the package pillow-heif",
            "install it with `pip install pillow-heif`, or save the photo as JPEG",
        ) from None
    pillow_heif.register_heif_opener()
