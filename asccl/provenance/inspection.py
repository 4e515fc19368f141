"""Inspect a file: whether it was edited, by what, how strongly, and whether its signature holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from asccl.errors import AscclError, ProvenanceError, UnreadableError
from asccl.provenance.identity import SELF_MADE_ISSUER, known_identity
from asccl.provenance.library import create_context, load_library, media_type
from asccl.provenance.manifest import (
    COMMENT_PATTERN,
    EDITED_ACTION,
    OPENED_ACTION,
    PARAMETER_PREFIX,
    SOFTWARE,
    join_emotions,
)
from asccl.video import read_tags

UNTRUSTED_CODE = "signingCredential.untrusted"  # reported for every certificate that goes back to no trust anchor
MAX_TEXT = 200  # characters of one entry of a manifest, which anybody may have written
MAX_ANCESTORS = 100  # manifests that are followed from a file to its sources

SignatureState = Literal["valid", "broken", "none", "unreadable", "unchecked"]
SignerKind = Literal["this machine", "self-made", "other"]


@dataclass(frozen=True)
class ManifestAction:
    """An action that a manifest or the metadata state.

    Attributes:
        software: its name and version, as stated.
        action: name in C2PA, for example "c2pa.edited".
        description: a few words, as stated.
        emotion: of an edit by ASCCL; None for others, or where a reference alone gave the emotion.
        intensity: of an edit by ASCCL.
        generator: of an edit by ASCCL.
        has_reference: whether a reference gave the emotion.
    """

    software: str
    action: str
    description: str = ""
    emotion: str | None = None
    intensity: float | None = None
    generator: str | None = None
    has_reference: bool = False


@dataclass(frozen=True)
class Signature:
    """The C2PA signature of a file.

    Attributes:
        state: "valid"; "broken" where the file does not fit it; "none"; "unreadable" where the manifest is damaged or
            lies elsewhere; "unchecked" where the library is missing.
        signer: who the certificate names; empty without a signature.
        signer_kind: "this machine" where the certificate is the one that this machine signs with; "self-made" where it
            says that ASCCL made it, as anybody can; "other" for all others, none of which is checked.
        problems: codes of C2PA, or a sentence, about what is wrong.
    """

    state: SignatureState
    signer: str = ""
    signer_kind: SignerKind = "other"
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """What a file says about itself.

    Attributes:
        name: of the file.
        signature: of the file.
        actions: of its manifest.
        earlier: actions of the manifests of its sources, the latest first.
        source_sha256: sha256 of the source of an edit by ASCCL, as stated; empty where nothing states it.
        metadata: the entries "comment" and "software".
        metadata_edit: the edit that the metadata state; None where they state none.
    """

    name: str
    signature: Signature
    actions: tuple[ManifestAction, ...]
    earlier: tuple[ManifestAction, ...]
    source_sha256: str
    metadata: dict[str, str]
    metadata_edit: ManifestAction | None

    @property
    def is_edited(self) -> bool | None:
        """Whether the file was edited, as stated; None where nothing states it, which proves nothing."""
        changes = [action for action in self.actions if action.action != OPENED_ACTION]
        return True if changes or self.metadata_edit else None

    def to_json(self) -> dict[str, Any]:
        """Return the inspection as str, float, bool, None, list and dict."""
        return {"edited": self.is_edited, **asdict(self)}


def inspect_file(path: Path) -> Inspection:
    """Inspect a video, a still, or another file that C2PA signs. Opens no connection.

    Raises:
        UnreadableError: the file does not exist, or is neither a medium nor signed.
        SettingError: `ASCCL_C2PA_CERT` or `ASCCL_C2PA_KEY` cannot be used.
    """
    try:
        kind = media_type(path)
    except OSError as error:
        raise UnreadableError(f"{path.name} cannot be read ({error.strerror})", "give another file") from error
    signature, store = _read_signature(path, kind)
    try:
        tags = read_tags(path)
    except AscclError:
        if signature.state == "none":
            raise
        tags = {}
    metadata: dict[str, str] = {key: _text(tags[key]) for key in ("comment", "software") if key in tags}
    active, *ancestors = _walk(store) if store else ({},)
    return Inspection(
        path.name,
        signature,
        tuple(_read_actions(active)),
        tuple(action for manifest in ancestors for action in _read_actions(manifest)),
        _source_sha256(active),
        metadata,
        _parse_comment(metadata.get("comment", "")),
    )


def _read_signature(path: Path, kind: str) -> tuple[Signature, dict[str, Any]]:
    """Validate the manifest of a file; returns it with the ones of its sources, {} where it cannot be read."""
    try:
        library, identity = load_library(), known_identity()
    except ProvenanceError as error:
        return Signature("unchecked", problems=(str(error),)), {}
    try:
        with create_context(identity.trust_anchor if identity else "") as context, path.open("rb") as file:
            reader = library.Reader.try_create(kind, file, context=context)
            if reader is None:
                return Signature("none"), {}
            with reader:
                store = json.loads(reader.json())
    except library.C2paError.NotSupported:
        return Signature("none"), {}
    except library.C2paError as error:
        return Signature("unreadable", problems=(str(error),)), {}
    return _judge(store), store


def _judge(store: dict[str, Any]) -> Signature:
    """Whether the validated signature of a manifest store holds, and whose it is."""
    results = store.get("validation_results", {}).get("activeManifest", {})
    problems = tuple(item["code"] for item in results.get("failure", ()) if item["code"] != UNTRUSTED_CODE)
    information = store["manifests"][store["active_manifest"]].get("signature_info") or {}
    signer = _text(information.get("issuer")) or _text(information.get("common_name")) or "an unknown signer"
    state = store.get("validation_state")
    kind: SignerKind = "self-made" if signer == SELF_MADE_ISSUER else "other"
    if state == "Trusted":
        kind = "this machine"
    return Signature("valid" if state in ("Valid", "Trusted") else "broken", signer, kind, problems)


def _walk(store: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The manifest of a file, then those of its sources, each once."""
    manifests, labels, visited = store["manifests"], [store["active_manifest"]], set[str]()
    while labels and len(visited) < MAX_ANCESTORS:
        label = labels.pop(0)
        if label in visited or label not in manifests:
            continue
        visited.add(label)
        yield manifests[label]
        labels += [
            item["active_manifest"] for item in manifests[label].get("ingredients", ()) if "active_manifest" in item
        ]


def _actions_data(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The actions of a manifest, of the current version and of older ones."""
    return [
        action
        for assertion in manifest.get("assertions", ())
        if assertion["label"].startswith("c2pa.actions")
        for action in _mapping(assertion.get("data")).get("actions", ())
        if isinstance(action, dict)
    ]


def _read_actions(manifest: dict[str, Any]) -> Iterator[ManifestAction]:
    generator: Any = next(iter(manifest.get("claim_generator_info") or ()), {})
    for action in _actions_data(manifest):
        stated = action.get("softwareAgent") or generator
        agent = stated if isinstance(stated, dict) else {"name": stated}
        parameters = _mapping(action.get("parameters"))
        intensity = parameters.get(f"{PARAMETER_PREFIX}intensity")
        yield ManifestAction(
            " ".join(filter(None, [_text(agent.get("name")), _text(agent.get("version"))])),
            _text(action.get("action")),
            _text(action.get("description")),
            _read_emotions(parameters) or None,
            float(intensity) if isinstance(intensity, int | float) else None,
            _text(parameters.get(f"{PARAMETER_PREFIX}generator")) or None,
            f"{PARAMETER_PREFIX}reference.sha256" in parameters,
        )


def _read_emotions(parameters: dict[str, Any]) -> str:
    names = [_text(parameters.get(f"{PARAMETER_PREFIX}{name}")) for name in ("emotion", "second_emotion")]
    share = parameters.get(f"{PARAMETER_PREFIX}second_share")
    return join_emotions(names[0], names[1] or None, share) if isinstance(share, int | float) else names[0]


def _source_sha256(manifest: dict[str, Any]) -> str:
    values = (_mapping(a.get("parameters")).get(f"{PARAMETER_PREFIX}sha256") for a in _actions_data(manifest))
    return next(filter(None, map(_text, values)), "")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """A short printable text; empty for what is no text."""
    if not isinstance(value, str):
        return ""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in value[:MAX_TEXT])


def _parse_comment(comment: str) -> ManifestAction | None:
    """The edit that a sentence of `edit_metadata` states; None for other comments."""
    match = COMMENT_PATTERN.match(comment)
    if match is None:
        return None
    target, _, reference = match["target"].partition("like a reference")
    has_reference = bool(reference) or target != match["target"]
    try:
        intensity = float(match["intensity"])
    except ValueError:
        return None
    software = f"{SOFTWARE} {match['version']}"
    return ManifestAction(software, EDITED_ACTION, "", target.strip() or None, intensity, None, has_reference)
