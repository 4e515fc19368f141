"""Sign small files as an edit does, without the networks of an edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asccl.provenance.manifest import edit_metadata
from asccl.provenance.signer import EditSigner
from asccl.types import EditRequest
from asccl.video import Reader, open_writer


def sign_copy(source: Path, target: Path, **settings: Any) -> dict[str, Any]:
    """Copy a video or still through the writer of an edit. Returns the report of its signature."""
    request = EditRequest(source=source, **({"emotion": "happy"} | settings))
    signer = EditSigner(request)
    tags = edit_metadata(request)
    with Reader(source) as reader, open_writer(target, reader.info, source, tags, finish=signer) as writer:
        for frame in reader:
            writer.write(frame)
    return signer.report()


def change_byte(path: Path, position: int) -> None:
    """Change one byte of a file, from its end where the position is negative."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
