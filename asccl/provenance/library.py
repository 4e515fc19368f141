"""Load c2pa-python, the library that writes and reads C2PA manifests, with settings that open no connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asccl.errors import ProvenanceError

C2PA_SETTINGS: dict[str, Any] = {
    "verify": {
        "verify_trust": True,
        "verify_after_sign": False,
        "remote_manifest_fetch": False,
        "ocsp_fetch": False,
    },
    "builder": {"thumbnail": {"enabled": False}},
}
BRAND_TYPES = {
    b"qt  ": "video/quicktime",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"avif": "image/avif",
}  # by the major brand of an ISO base media file; all others are MP4
SIGNATURE_TYPES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
    b"\x1a\x45\xdf\xa3": "video/x-matroska",
}  # by the first bytes of a file
RIFF_TYPES = {b"WEBP": "image/webp", b"AVI ": "video/avi", b"WAVE": "audio/wav"}
UNKNOWN_TYPE = "application/octet-stream"


def load_library() -> Any:
    """Import the module `c2pa`. Raises ProvenanceError where it is missing or its native library cannot be loaded."""
    try:
        import c2pa
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise ProvenanceError(
            f"the library c2pa-python cannot be used ({error})", "install it with `pip install c2pa-python`"
        ) from error
    return c2pa


def create_context(trust_anchors: str = "") -> Any:
    """Create an offline context of the library.

    Args:
        trust_anchors: certificates in PEM that signatures may go back to; no list of public issuers is loaded.

    Raises:
        ProvenanceError: the library cannot be used.
    """
    settings = C2PA_SETTINGS | ({"trust": {"user_anchors": trust_anchors}} if trust_anchors else {})
    return load_library().Context.from_dict(settings)


def media_type(path: Path) -> str:
    """Media type of a file by its first bytes, not by its name.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if start[4:8] == b"ftyp":
        return BRAND_TYPES.get(start[8:12], "video/mp4")
    if start[:4] == b"RIFF":
        return RIFF_TYPES.get(start[8:12], UNKNOWN_TYPE)
    return next((name for prefix, name in SIGNATURE_TYPES.items() if start.startswith(prefix)), UNKNOWN_TYPE)
