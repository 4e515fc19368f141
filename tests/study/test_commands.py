"""`python -m asccl study ...` as a researcher types it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from participant_steps import enter_study, finish_study

from asccl.__main__ import main
from asccl.study.store import Store
from asccl.study.votes import read_votes

pytestmark = pytest.mark.usefixtures("no_watch_time")


@pytest.fixture
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ASCCL_STUDY_DB", "ASCCL_STUDY_SECRET", "ASCCL_STUDY_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASCCL_STUDY_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def study_id(data_folder: Path, clips: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["study", "create", str(clips), "--title", "Which?"]) == 0
    return capsys.readouterr().out.strip()


@pytest.fixture
def finished(data_folder: Path, study_id: str) -> tuple[int, str]:
    """(number of answers, completion code) of a participant P03."""
    store = Store(data_folder)
    token = enter_study(store, study_id, "P03")
    count = finish_study(store, study_id, token)
    code = store.signer.completion_code(token[:22])
    store.close()
    return count, code


def test_create_prints_the_id_and_a_secret_once(data_folder, clips, capsys):
    for _ in range(2):
        assert main(["study", "create", str(clips), "--title", "Which?"]) == 0
    output = capsys.readouterr()
    assert all(re.fullmatch(r"[\w-]{11}", line) for line in output.out.splitlines())
    assert output.err.count("shown only this once") == 1


def test_a_link_for_each_label(study_id, tmp_path, capsys):
    (tmp_path / "people.txt").write_text("P01\n\nP02\n")
    labels, url = str(tmp_path / "people.txt"), "https://x.org/sub/"
    assert main(["study", "link", study_id, "--labels", labels, "--url", url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("&p=")[0] for line in lines] == [
        f"{label}\thttps://x.org/sub/study?s={study_id}" for label in ("P01", "P02")
    ]


def test_the_status_of_all_studies_and_of_one(study_id, finished, capsys):
    count, code = finished
    assert main(["study", "status"]) == 0
    assert "18 answers" in capsys.readouterr().out
    assert main(["study", "status", study_id]) == 0
    assert f"P03\tfinished\t{count} of {count}\t{code}" in capsys.readouterr().out


def test_results_in_every_format_with_charts(study_id, finished, tmp_path):
    for kind in ("markdown", "latex", "json"):
        output, charts = str(tmp_path / kind), str(tmp_path / "charts")
        assert main(["study", "results", study_id, "--format", kind, "-o", output, "--charts", charts]) == 0
    assert json.loads((tmp_path / "json").read_text())["all"]["votes"] == 18
    assert len(list((tmp_path / "charts").glob("*.svg"))) == 3


@pytest.mark.parametrize(("kind", "header_lines"), [("csv", 1), ("jsonl", 0)])
def test_every_answer_is_exported(study_id, finished, capsys, kind, header_lines):
    assert main(["study", "export", study_id, "--format", kind]) == 0
    assert len(capsys.readouterr().out.splitlines()) == finished[0] + header_lines


def test_a_participant_is_deleted_by_the_completion_code(data_folder, study_id, finished):
    assert main(["study", "delete", study_id, finished[1]]) == 0
    store = Store(data_folder)
    assert read_votes(store, study_id) == []
    store.close()


def type_line(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(line))


def test_a_study_is_deleted_once_its_title_is_typed(data_folder, study_id, finished, monkeypatch, capsys):
    type_line(monkeypatch, "Which?\n")
    assert main(["study", "delete", study_id, "--all"]) == 0
    output = capsys.readouterr()
    assert f"“Which?” with its plan and all links: {finished[0]} answers, 1 participants, 30 clips" in output.out
    assert "Type its title to confirm: " in output.err
    assert "Backups and exports made before still contain the study" in output.err
    assert list((data_folder / "clips").iterdir()) == []


@pytest.mark.parametrize("line", ["", "\n", "yes\n", "which?\n"])
def test_a_study_stays_unless_its_title_is_typed(data_folder, study_id, monkeypatch, capsys, line):
    type_line(monkeypatch, line)
    assert main(["study", "delete", study_id, "--all"]) == 2
    assert "nothing was deleted" in capsys.readouterr().err
    assert (data_folder / "clips" / study_id).is_dir()


def test_a_study_is_deleted_without_a_question(data_folder, study_id, monkeypatch):
    type_line(monkeypatch, "")
    assert main(["study", "delete", study_id, "--all", "--yes"]) == 0
    assert not (data_folder / "clips" / study_id).exists()


@pytest.mark.parametrize("options", [[], ["P03", "--all"], ["P03", "--yes"], ["--yes"]])
def test_an_unclear_deletion_deletes_nothing(data_folder, study_id, finished, capsys, options):
    assert main(["study", "delete", study_id, *options]) == 2
    assert "give WHO for a participant, or --all for the study" in capsys.readouterr().err
    main(["study", "status", study_id])
    assert "P03\tfinished" in capsys.readouterr().out


def test_a_study_closes_and_opens_and_a_link_is_revoked(study_id, finished, capsys):
    states = []
    for options in ([], ["--again"]):
        assert main(["study", "close", study_id, *options]) == 0
        main(["study", "status"])
        states.append(capsys.readouterr().out.split("\t")[2])
    assert states == ["closed", "open"]
    assert main(["study", "link", study_id, "--revoke", "P03"]) == 0
    main(["study", "status", study_id])
    assert "P03\trevoked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [(["close"], "write -- -abcdefghij for"), (["link", "x", "--revoke"], "write --revoke=-abcdefghij")],
)
def test_an_id_that_looks_like_an_option_gets_its_remedy(capsys, arguments, remedy):
    with pytest.raises(SystemExit):
        main(["study", *arguments, "-abcdefghij"])
    assert remedy in capsys.readouterr().err


def test_a_backup_and_a_secret(study_id, finished, tmp_path, capsys):
    assert main(["study", "backup", str(tmp_path / "b.zip")]) == 0
    assert f"b.zip: {finished[0]} answers" in capsys.readouterr().out
    assert main(["study", "secret"]) == 0
    assert len(capsys.readouterr().out.strip()) == 32


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["status"], 1),
        (["results", "x"], 1),
        (["create", "nowhere", "--title", "t"], 3),
        (["link", "x", "--count", "1"], 1),
        (["restore", "nowhere.zip"], 1),
        (["edits", "a.mp4", "-o", "x", "--emotion", "sad", "--method", "a=gan"], 2),
    ],
)
def test_a_mistake_is_one_line_with_a_remedy(data_folder, capsys, arguments, status):
    assert main(["study", *arguments]) == status
    assert re.fullmatch(r"asccl: .+: .+\n", capsys.readouterr().err)
