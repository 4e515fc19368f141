"""Signatures of outputs: made, verified, broken by one changed byte, lost by another encoder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from media import astronaut, write_clip
from PIL import Image
from signing import change_byte, sign_copy

from asccl.errors import SettingError
from asccl.provenance import signer as signer_module
from asccl.provenance.identity import load_identity
from asccl.provenance.inspection import inspect_file
from asccl.provenance.inspection_text import describe_inspection
from asccl.provenance.library import create_context, load_library, media_type
from asccl.provenance.signer import describe_signature
from asccl.types import EditRequest
from asccl.video import Reader, read_tags

pytest.importorskip("c2pa", reason="the library of signatures is not installed")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of three frames with sound."""
    return write_clip(tmp_path_factory.mktemp("source") / "talk.mp4", [astronaut(shift, 64) for shift in range(3)])


@pytest.fixture(scope="module")
def signed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("signed") / "happy.mp4"
    sign_copy(source, path, intensity=0.8)
    return path


def manifest(path: Path) -> dict[str, Any]:
    """The active manifest of a file."""
    with create_context() as context, path.open("rb") as file:
        store = json.loads(load_library().Reader(media_type(path), file, context=context).json())
    return store["manifests"][store["active_manifest"]]


@pytest.mark.parametrize("name", ["o.mp4", "o.m4v", "o.mov"])
def test_every_kind_of_video_is_signed(source: Path, tmp_path: Path, name: str) -> None:
    sign_copy(source, tmp_path / name)
    assert inspect_file(tmp_path / name).signature.state == "valid"


@pytest.mark.parametrize("name", ["o.png", "o.jpg", "o.webp"])
def test_every_kind_of_still_is_signed(still: Path, tmp_path: Path, name: str) -> None:
    sign_copy(still, tmp_path / name)
    assert inspect_file(tmp_path / name).signature.state == "valid"


def test_a_signed_video_has_the_frames_and_metadata_of_an_unsigned_one(
    source: Path, signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    sign_copy(source, tmp_path / "o.mp4", intensity=0.8)
    with Reader(tmp_path / "o.mp4") as unsigned_reader, Reader(signed) as reader:
        pairs = zip(unsigned_reader, reader, strict=True)
        assert all((a.image == b.image).all() and a.pts == b.pts for a, b in pairs)
    assert read_tags(tmp_path / "o.mp4") == read_tags(signed)


def test_the_manifest_says_what_was_edited_and_how_strongly(signed: Path) -> None:
    edit = inspect_file(signed).actions[-1]
    assert (edit.action, edit.emotion, edit.intensity, edit.generator) == ("c2pa.edited", "happy", 0.8, "warp")


def test_the_manifest_is_labelled_as_partly_generated(signed: Path) -> None:
    actions = manifest(signed)["assertions"][-1]["data"]["actions"]
    assert actions[-1]["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")


def test_the_manifest_names_no_file_and_holds_no_thumbnail(signed: Path) -> None:
    text = json.dumps(manifest(signed))
    assert "talk" not in text
    assert "thumbnail" not in text


def test_the_manifest_has_the_hash_of_the_source(source: Path, signed: Path) -> None:
    assert inspect_file(signed).source_sha256 == signer_module.hub.sha256(source)


def test_a_reference_is_recorded_by_its_hash(source: Path, still: Path, tmp_path: Path) -> None:
    sign_copy(source, tmp_path / "o.mp4", emotion=None, reference=still)
    assert signer_module.hub.sha256(still) in json.dumps(manifest(tmp_path / "o.mp4"))
    assert "like a reference" in describe_inspection(inspect_file(tmp_path / "o.mp4"))["edited"]


def test_a_changed_byte_of_the_picture_breaks_the_signature(signed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "changed.mp4"
    copy.write_bytes(signed.read_bytes())
    change_byte(copy, -500)
    inspection = inspect_file(copy)
    assert inspection.signature.problems == ("assertion.bmffHash.mismatch",)
    assert describe_inspection(inspection)["signature"].startswith("broken")


def test_a_changed_byte_of_a_still_breaks_the_signature(still: Path, tmp_path: Path) -> None:
    sign_copy(still, tmp_path / "o.jpg")
    change_byte(tmp_path / "o.jpg", -500)
    assert inspect_file(tmp_path / "o.jpg").signature.state == "broken"


def test_a_changed_claim_breaks_the_signature(signed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "changed.mp4"
    data = signed.read_bytes()
    copy.write_bytes(data.replace(b"ehappy", b"eangry", 1))
    assert copy.read_bytes() != data
    assert inspect_file(copy).signature.state != "valid"


def test_a_second_edit_keeps_the_manifest_of_the_first(signed: Path, tmp_path: Path) -> None:
    report = sign_copy(signed, tmp_path / "sad.mp4", emotion="sad")
    assert report["keeps_source_manifest"]
    inspection = inspect_file(tmp_path / "sad.mp4")
    assert [action.emotion for action in (inspection.actions[-1], inspection.earlier[-1])] == ["sad", "happy"]


def test_a_source_that_the_library_cannot_parse_is_named_by_its_hash(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signer_module, "media_type", lambda path: "image/png" if path == source else media_type(path))
    assert sign_copy(source, tmp_path / "o.mp4")["signed"]
    assert inspect_file(tmp_path / "o.mp4").signature.state == "valid"


def test_a_still_that_was_saved_anew_has_lost_its_signature(still: Path, tmp_path: Path) -> None:
    sign_copy(still, tmp_path / "o.png")
    Image.open(tmp_path / "o.png").save(tmp_path / "anew.jpg")
    inspection = inspect_file(tmp_path / "anew.jpg")
    assert inspection.signature.state == "none"
    assert inspection.is_edited is None


def test_metadata_alone_are_not_taken_for_a_proof(still: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "c2pa", None)
        sign_copy(still, tmp_path / "o.png")
    lines = describe_inspection(inspect_file(tmp_path / "o.png"))
    assert lines["edited"].startswith("yes, say the metadata, which anybody can change: expression changed to happy")
    assert lines["signature"].startswith("none.")


def test_without_the_library_the_file_is_written_unsigned(
    still: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    report = sign_copy(still, tmp_path / "o.png")
    assert (tmp_path / "o.png").exists()
    assert "pip install c2pa-python" in describe_signature(report)


def test_without_the_library_a_signature_is_not_checked(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    inspection = inspect_file(signed)
    assert inspection.signature.state == "unchecked"
    assert inspection.is_edited


def test_a_signature_that_fails_leaves_the_unsigned_file(
    still: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signer_module, "media_type", lambda path: "text/unknown")
    report = sign_copy(still, tmp_path / "o.png")
    assert report["reason"].startswith("the file could not be signed")
    assert [path.name for path in tmp_path.iterdir()] == ["o.png"]


def test_this_machine_recognizes_its_own_certificate(signed: Path) -> None:
    text = describe_inspection(inspect_file(signed))["signed by"]
    assert text == "the certificate of this machine (self-made and untrusted: nobody vouches for it)"


def test_the_certificate_of_another_machine_is_said_to_prove_nothing(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    load_identity()
    assert "which anybody can make" in describe_inspection(inspect_file(signed))["signed by"]


def test_a_wrong_certificate_of_the_user_is_refused_before_the_edit(
    still: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASCCL_C2PA_CERT", "/nowhere.pem")
    with pytest.raises(SettingError):
        signer_module.EditSigner(EditRequest(source=still, emotion="happy"))
