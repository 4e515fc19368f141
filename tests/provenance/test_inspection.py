"""What `asccl inspect` and the app say about a file."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr
import pytest
from coroutines import run_coroutine
from signing import sign_copy

from asccl.__main__ import main
from asccl.provenance.inspection import ManifestAction, _parse_comment, _read_actions
from asccl.provenance.inspection_text import describe_action
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
    assert "<b>" not in inspection_html({"edited": "<b>x</b>"})


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
