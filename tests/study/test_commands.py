"""`python -m asccl study ...` as a researcher types it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from walker import enter, finish

from asccl.__main__ import main
from asccl.study.results import read_votes
from asccl.study.store import Store

pytestmark = pytest.mark.usefixtures("unhurried")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ASCCL_STUDY_DB", "ASCCL_STUDY_SECRET", "ASCCL_STUDY_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASCCL_STUDY_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_from_nothing_to_a_table_and_back_to_nothing(data, clips, tmp_path, capsys):
    assert main(["study", "create", str(clips), "--title", "Which?"]) == 0
    said = capsys.readouterr()
    study = said.out.strip()
    assert re.fullmatch(r"[\w-]{11}", study) and said.err.count("shown only this once") == 1
    (tmp_path / "people.txt").write_text("P01\n\nP02\n")
    assert main(["study", "link", study, "--labels", str(tmp_path / "people.txt"), "--url", "https://x.org/sub/"]) == 0
    first, _ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"P01\thttps://x.org/sub/study?s={study}&p=")
    store = Store(data)
    token = enter(store, study, "P03")
    count = finish(store, study, token)
    code = store.signer.code(token[:22])
    assert main(["study", "status"]) == 0 and main(["study", "status", study]) == 0
    said = capsys.readouterr().out
    assert "18 answers" in said and f"P03\tfinished\t{count} of {count}\t{code}" in said
    out = tmp_path / "out"
    out.mkdir()
    for kind in ("markdown", "latex", "json"):
        arguments = ["study", "results", study, "--format", kind, "-o", f"{out}/{kind}", "--charts", f"{out}/charts"]
        assert main(arguments) == 0
    assert json.loads((out / "json").read_text())["all"]["votes"] == 18
    assert len(list((out / "charts").glob("*.svg"))) == 3
    for kind in ("csv", "jsonl"):
        assert main(["study", "export", study, "--format", kind]) == 0
        assert len(capsys.readouterr().out.splitlines()) == count + (kind == "csv")
    assert main(["study", "backup", str(tmp_path / "b.zip")]) == 0
    assert main(["study", "link", study, "--revoke", "P01"]) == 0
    assert main(["study", "delete", study, code]) == 0 and read_votes(store, study) == []
    assert main(["study", "close", study]) == 0 and main(["study", "close", study, "--again"]) == 0
    assert main(["study", "secret"]) == 0
    assert len(capsys.readouterr().out.split()[-1]) == 32
    store.close()


@pytest.mark.parametrize(
    "arguments, status",
    [
        (["status"], 1),
        (["results", "x"], 1),
        (["create", "nowhere", "--title", "t"], 3),
        (["link", "x", "--count", "1"], 1),
        (["restore", "nowhere.zip"], 1),
        (["edits", "a.mp4", "-o", "x", "--emotion", "sad", "--method", "a=gan"], 2),
    ],
)
def test_a_mistake_is_one_line_with_a_remedy(data, capsys, arguments, status):
    assert main(["study", *arguments]) == status
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("asccl: ") and ": " in said[7:]
