"""Sign the finished file of an edit with a C2PA manifest, the last step before it gets its name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from asccl import hub
from asccl.errors import OutputError, ProvenanceError
from asccl.files import AtomicFile
from asccl.provenance.identity import SigningIdentity, load_identity
from asccl.provenance.library import create_context, load_library, media_type
from asccl.provenance.manifest import build_ingredient, build_manifest, count_manifests
from asccl.types import EditRequest

CERTIFICATES = {
    "own": "by your own certificate",
    "machine": "by the certificate of this machine, which nobody vouches for",
    "temporary": "by a certificate for this run only",
}  # by `SigningIdentity.kind`
BUFFER_SIZE = 1 << 18  # bytes; the library reads and writes 8 kB at a time


class EditSigner:
    """Signs the output of one edit; hand it to `open_writer` as `finish`.

    A signature is never worth an edit: where it cannot be made, the file stays as it is and `report` says why.

    Args:
        request: of the edit.

    Raises:
        SettingError: `ASCCL_C2PA_CERT` or `ASCCL_C2PA_KEY` cannot be used.
    """

    def __init__(self, request: EditRequest):
        self._request = request
        self._identity: SigningIdentity | None = None
        self._manifests = 0
        self._problem = "the file was not finished"
        try:
            load_library()
            self._identity = load_identity()
        except ProvenanceError as error:
            self._problem = str(error)

    def __call__(self, path: Path) -> None:
        """Replace a finished file by a signed copy of it; it stays unsigned where that is not possible."""
        if self._identity is None:
            return
        library = load_library()
        try:
            self._manifests = count_manifests(self._sign(path, library, self._identity))
            self._problem = ""
        except (library.C2paError, OutputError, OSError) as error:
            self._problem = f"the file could not be signed ({error})"

    def report(self) -> dict[str, Any]:
        """Report the signature, JSON-able.

        Returns:
            signed: whether the file has a signature.
            certificate: "own", "machine" or "temporary", see `SigningIdentity.kind`; None without a signature.
            keeps_source_manifest: whether the source had a manifest, which the output keeps.
            reason: why the file is not signed or the certificate is temporary; None where neither is so.
        """
        is_signed = not self._problem
        identity = self._identity if is_signed else None
        return {
            "signed": is_signed,
            "certificate": identity.kind if identity else None,
            "keeps_source_manifest": is_signed and self._manifests > 1,
            "reason": self._problem or (identity.note if identity else "") or None,
        }

    def _sign(self, path: Path, library: Any, identity: SigningIdentity) -> bytes:
        """Sign a file in place; returns the manifest store."""
        algorithm = library.C2paSigningAlg[identity.algorithm]
        information = library.C2paSignerInfo(algorithm, identity.chain.encode(), identity.key.encode(), None)
        with (
            library.Signer.from_info(information) as signer,
            create_context() as context,
            self._build(library, context) as builder,
            path.open("rb", BUFFER_SIZE) as unsigned,
            AtomicFile(path) as copy,
            copy.temporary_path.open("w+b", BUFFER_SIZE) as signed,
        ):
            return builder.sign(signer, media_type(path), unsigned, signed)

    def _build(self, library: Any, context: Any) -> Any:
        """Build the manifest with the source as its parent, and with the source's own manifest where it has one."""
        request = self._request
        reference_sha256 = None if request.reference is None else hub.sha256(request.reference)
        definition = build_manifest(request, hub.sha256(request.source), reference_sha256)
        kind = media_type(request.source)
        ingredient = build_ingredient(kind)
        builder = library.Builder(json.dumps(definition), context=context)
        try:
            with request.source.open("rb") as source:
                builder.add_ingredient(ingredient, kind, source)
        except library.C2paError:  # a damaged source that FFmpeg reads all the same: its hash alone stands for it
            builder.close()
            builder = library.Builder(json.dumps(definition | {"ingredients": [ingredient]}), context=context)
        return builder


def describe_signature(report: dict[str, Any] | None) -> str:
    """Describe the signature that `EditSigner.report` reports; empty without a report."""
    if report is None:
        return ""
    if not report["signed"]:
        return f"none: {report['reason']}"
    kept = "; the manifest of the source is kept" if report["keeps_source_manifest"] else ""
    reason = f" ({report['reason']})" if report["reason"] else ""
    return f"C2PA, {CERTIFICATES[report['certificate']]}{reason}{kept}"
