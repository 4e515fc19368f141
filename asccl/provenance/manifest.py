"""What an output says about its edit: a sentence in its metadata, and the C2PA manifest.

Neither has the name of a file, a person or a machine. A manifest has no thumbnails: they would put the face of the
source, as it was before the edit, into every copy of the output.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from asccl.types import EditRequest
from asccl.version import __version__

SOFTWARE = "ASCCL"
ACTIONS_LABEL = "c2pa.actions.v2"
OPENED_ACTION, EDITED_ACTION = "c2pa.opened", "c2pa.edited"
PARAMETER_PREFIX = "org.asccl."
SOURCE_LABEL = "source"
# "Composite that includes elements of trained generative models" (IPTC): the term by which platforms label such files.
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
COMMENT_PATTERN = re.compile(
    r"Edited with ASCCL (?P<version>\S+): facial expression changed to (?P<target>.+), intensity (?P<intensity>\S+)"
)
MANIFEST_BOX = b"c2ma\x00\x11\x00\x10\x80\x00\x00\xaa\x008\x9bq"  # type of the JUMBF box of one manifest


def edit_metadata(request: EditRequest) -> dict[str, str]:
    """Metadata of the output, which says that it was edited."""
    comment = f"Edited with {SOFTWARE} {__version__}: {describe_edit(request)}"
    return {"comment": comment, "software": f"{SOFTWARE} {__version__}"}


def describe_edit(request: EditRequest) -> str:
    """Describe an edit in a few words."""
    target = join_emotions(request.emotion or "", request.second_emotion, request.second_share)
    if request.reference is not None:
        target = f"{target} like a reference".strip()
    over_time = " over time" if request.keyframes else ""
    return f"facial expression changed to {target}, intensity {request.intensity:g}{over_time}"


def join_emotions(emotion: str, second: str | None, share: float) -> str:
    """Join the names of two emotions, the second with its share in percent.

    Args:
        emotion: the first one.
        second: the other one, None without one.
        share: of the second one, 0 to 1.
    """
    return emotion if second is None else f"{emotion} with {share:.0%} {second}"


def build_manifest(request: EditRequest, source_sha256: str, reference_sha256: str | None) -> dict[str, Any]:
    """Build the definition of a manifest for `c2pa.Builder`; the ingredient "source" is to be added.

    Args:
        request: what was edited and how.
        source_sha256: of the source file, in hex.
        reference_sha256: of the reference, in hex; None without one.
    """
    agent = {"name": SOFTWARE, "version": __version__}
    edited = {
        "action": EDITED_ACTION,
        "when": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "softwareAgent": agent,
        "digitalSourceType": SOURCE_TYPE,
        "description": describe_edit(request),
        "parameters": _edit_parameters(request, reference_sha256),
    }
    opened = {
        "action": OPENED_ACTION,
        "parameters": {"ingredientIds": [SOURCE_LABEL], f"{PARAMETER_PREFIX}sha256": source_sha256},
    }
    return {
        "claim_generator_info": [agent],
        "assertions": [{"label": ACTIONS_LABEL, "data": {"actions": [opened, edited]}}],
    }


def build_ingredient(media_type: str) -> dict[str, Any]:
    """Describe the source as the parent of the output, for `c2pa.Builder`."""
    return {"title": SOURCE_LABEL, "label": SOURCE_LABEL, "relationship": "parentOf", "format": media_type}


def count_manifests(store: bytes) -> int:
    """Number of manifests in the bytes of a manifest store: that of the file and those of its ancestors."""
    return store.count(MANIFEST_BOX)


def _edit_parameters(request: EditRequest, reference_sha256: str | None) -> dict[str, Any]:
    parameters = {
        "emotion": request.emotion,
        "second_emotion": request.second_emotion,
        "second_share": None if request.second_emotion is None else request.second_share,
        "over_time": True if request.keyframes else None,
        "reference.sha256": reference_sha256,
        "intensity": request.intensity,
        "generator": request.generator,
        "start": request.start or None,
        "end": request.end,
    }
    return {f"{PARAMETER_PREFIX}{name}": value for name, value in parameters.items() if value is not None}
