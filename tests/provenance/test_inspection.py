"""What `asccl inspect` and the app say about a file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import gradio as gr
import pytest
from coroutines import run_coroutine
from signing import sign_copy

from asccl.__main__ import main
from asccl.provenance.identity import SELF_MADE_ISSUER
from asccl.provenance.inspection import (
    Inspection,
    ManifestAction,
    Signature,
    SignatureState,
    _parse_comment,
    _read_actions,
)
from asccl.provenance.inspection_text import describe_action, describe_inspection
from asccl.provenance.manifest import edit_metadata
from asccl.types import EditRequest
from asccl.ui.inspection_panel import InspectionHandler, inspection_html
from asccl.ui.places import Places
from asccl.video.limits import Limits


@pytest.fixture(scope="module")
def signed(still: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("signed") / "happy.png"
    sign_copy(still, path)
    return path


@pytest.fixture
def handler() -> InspectionHandler:
    return InspectionHandler(Limits(max_bytes=10**6), Places(1, 1, 1))


def inspect_upload(handler: InspectionHandler, path: Path | None) -> str:
    """What the About tab shows of an upload."""
    page = gr.Request(session_hash="page")
    return run_coroutine(handler.inspect(path and str(path), page))


def test_the_command_says_what_was_edited(signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(signed)]) == 0
    assert "expression changed to happy, intensity 1" in capsys.readouterr().out


def test_the_command_prints_json(signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["inspect", "--json", str(signed)])
    result = json.loads(capsys.readouterr().out)
    assert (result["edited"], result["signature"]["state"]) == (True, "valid")


def test_a_file_without_a_trace_is_not_called_unedited(still: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["inspect", str(still)])
    assert "unknown: nothing in the file says so. That proves nothing" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, b"no picture"])
def test_a_file_that_cannot_be_read_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    path = tmp_path / "file.mp4"
    if content is not None:
        path.write_bytes(content)
    assert main(["inspect", str(path)]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_app_says_the_same(signed: Path, handler: InspectionHandler) -> None:
    assert "expression changed to happy, intensity 1" in inspect_upload(handler, signed)


def test_the_app_refuses_a_file_that_is_too_large(signed: Path) -> None:
    small = InspectionHandler(Limits(max_bytes=100), Places(1, 1, 1))
    assert "status" in inspect_upload(small, signed)
    assert "happy, intensity" not in inspect_upload(small, signed)


def test_without_a_file_the_app_says_nothing(handler: InspectionHandler) -> None:
    assert inspect_upload(handler, None) == ""


def test_texts_of_a_manifest_are_escaped() -> None:
    action = ManifestAction("<b>x</b>", "c2pa.edited", "<i>y</i>")
    html = inspection_html(Inspection("a.mp4", Signature("valid", "<u>z</u>"), (action,), (), "", {}, None))
    assert not {"<b>", "<i>", "<u>"} & set(re.findall("<[biu]>", html))
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize(
    ("state", "actions", "summary"),
    [
        ("valid", 1, "Edited, and unchanged since it was signed"),
        ("broken", 1, "Edited, and changed since it was signed"),
        ("unchecked", 1, "no signature proves it"),
        ("none", 0, "Nothing in this file says that it was edited"),
    ],
)
def test_the_app_sums_up_in_one_sentence(state: SignatureState, actions: int, summary: str) -> None:
    edits = (ManifestAction("ASCCL", "c2pa.edited"),) * actions
    html = inspection_html(Inspection("a.mp4", Signature(state), edits, (), "", {}, None))
    assert summary in html
    assert f'data-signature="{state}"' in html


def test_a_broken_signature_is_not_said_to_be_of_another_machine() -> None:
    signature = Signature("broken", SELF_MADE_ISSUER, "self-made")
    lines = describe_inspection(Inspection("a.mp4", signature, (), (), "", {}, None))
    assert "another machine" not in lines["signed by"]


@pytest.mark.parametrize(
    "action",
    [{"parameters": []}, {"softwareAgent": 3}, {"description": ["x"]}, {"parameters": {"org.asccl.intensity": "1"}}],
)
def test_entries_of_wrong_types_in_a_manifest_do_no_harm(action: dict[str, object]) -> None:
    manifest = {"assertions": [{"label": "c2pa.actions", "data": {"actions": [action, "no action"]}}]}
    assert describe_action(next(_read_actions(manifest)))


def test_control_characters_of_a_manifest_are_not_printed() -> None:
    manifest = {"assertions": [{"label": "c2pa.actions", "data": {"actions": [{"description": "a\x1b[2J"}]}}]}
    assert next(_read_actions(manifest)).description == "a\ufffd[2J"


@pytest.mark.parametrize("emotion", ["sad", None])
@pytest.mark.parametrize("reference", [Path("r.mp4"), None])
def test_the_sentence_of_the_metadata_is_read_again(emotion: str | None, reference: Path | None) -> None:
    if emotion is None and reference is None:
        pytest.skip("an edit needs one of them")
    request = EditRequest(source=Path("s.mp4"), emotion=emotion, reference=reference, intensity=0.5)
    action = _parse_comment(edit_metadata(request)["comment"])
    assert isinstance(action, ManifestAction)
    assert (action.emotion, action.intensity, action.has_reference) == (emotion, 0.5, reference is not None)
