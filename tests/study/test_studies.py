"""Creating studies, also from edits."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from synthetic_study import FACE_COLOURS, CopyingEditor

from asccl.errors import InputError, SettingError
from asccl.study.edits import edit_clips, parse_method, references_by_emotion
from asccl.study.manifest import read_items
from asccl.study.plan import parse_plan
from asccl.study.studies import MAX_BROKEN_ITEMS, create_study
from asccl.study.tokens import new_participant_id, new_study_id

PLAN = parse_plan({"title": "t"})


@pytest.fixture
def folder(clips: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clips, tmp_path / "clips"))


def test_a_study_that_fails_leaves_nothing(sqlite, folder):
    (folder / "sad-2" / "NED.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"NED\.mp4"):
        create_study(sqlite, PLAN, read_items(folder))
    assert list((sqlite.folder / "clips").iterdir()) == []


def test_a_question_needs_its_context_clip(sqlite, folder):
    (folder / "sad-2" / "reference.mp4").unlink()
    with pytest.raises(InputError, match="sad-2 has none"):
        create_study(sqlite, PLAN, read_items(folder))


def test_clips_have_random_names(sqlite, new_study):
    names = [path.name for path in (sqlite.folder / "clips" / new_study(sqlite)).iterdir()]
    assert len(names) == 6 * len(FACE_COLOURS) + MAX_BROKEN_ITEMS
    assert [name for name in names if any(word in name.lower() for word in ("ned", "asccl", "broken"))] == []


def test_clips_made_by_editing(clips, tmp_path, sqlite):
    shutil.copy(clips / "happy-0" / "reference.mp4", tmp_path / "happy.mp4")
    methods = [parse_method("mild = warp@0.5"), parse_method("full=warp")]
    references = references_by_emotion([tmp_path / "happy.mp4"])
    source = clips / "sad-0" / "source.mp4"
    edit_clips(CopyingEditor(), [source], ["happy"], methods, tmp_path / "edits", references)
    (item,) = read_items(tmp_path / "edits")
    assert (item.emotion, set(item.outputs)) == ("happy", {"mild", "full"})
    _, warnings = create_study(sqlite, PLAN, [item])
    assert warnings == []


@pytest.mark.parametrize("new_id", [new_study_id, new_participant_id])
def test_an_id_is_no_option_of_a_command_line(monkeypatch, new_id):
    texts = iter(["-a", "_a", "a-"])
    monkeypatch.setattr("secrets.token_urlsafe", lambda _size: next(texts))
    assert new_id() == "a-"


@pytest.mark.parametrize("text", ["", "mild", "x = gan", "x=warp@9", "x=warp@.", "a/b=warp", "source=warp"])
def test_a_wrong_method_is_refused(text):
    with pytest.raises(SettingError):
        parse_method(text)
