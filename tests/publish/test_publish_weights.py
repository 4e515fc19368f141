"""`asccl publish weights`: what is refused, what is uploaded, and what happens when the Hub fails."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hub_account import HubAccount
from safetensors.numpy import save_file

from asccl import __version__, hub
from asccl.__main__ import main
from asccl.publish.cards import CARDS_FOLDER, read_card

NAME = "expression-mini"
REPO = f"models/someone/{NAME}"
CARD = """
title = "A renderer"
depicts = "{depicts}"
consent = "{consent}"
licence = "{licence}"
pipeline_tag = "video-to-video"
purpose = "To test."
usage = "pass"
training_data = "Nothing."
recipe = "By hand."
limits = "All."
"""
CONSENT = "A. Person agreed in writing on 2026-01-31."


def publish(*arguments: str) -> int:
    return main(["publish", "weights", NAME, "--repo", f"someone/{NAME}", *arguments])


@pytest.fixture
def renderer(tmp_path: Path):
    """Write the weights of a person and their card -> arguments of the command."""
    import numpy as np

    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "person.safetensors", {"kind": "ned-renderer"})

    def write(depicts: str = "A. Person", consent: str = CONSENT, licence: str = "MIT") -> list[str]:
        card = tmp_path / "card.toml"
        card.write_text(CARD.format(depicts=depicts, consent=consent, licence=licence))
        source = str(tmp_path / "person.safetensors")
        return ["publish", "weights", source, "--card", str(card), "--repo", "someone/person"]

    return write


def test_a_dry_run_lists_files_licence_and_table_and_sends_nothing(account: HubAccount, project: Path, capsys) -> None:
    assert publish() == 0
    printed = capsys.readouterr().out
    for text in (
        "822,676  model.safetensors",
        "licence: MIT",
        f'+        repo="someone/{NAME}",',
        "Nothing was uploaded",
    ):
        assert text in printed
    assert account.requests == []


def test_weights_are_uploaded_in_one_commit_compared_tagged_and_public(account: HubAccount, project: Path) -> None:
    assert publish("--yes") == 0
    repository = account.repositories[REPO]
    assert len(repository.commits) == 2  # the Hub's own first one, and ours
    assert set(repository.files) == {
        ".gitattributes",
        *("model.safetensors", "config.json", "README.md", "LICENSE", "NOTICE"),
    }
    assert repository.files["model.safetensors"] == hub.locate(NAME).read_bytes()
    assert repository.tags == {f"v{__version__}": repository.head}
    assert not repository.private


def test_a_repository_is_private_until_it_is_compared_and_tagged(account: HubAccount, project: Path) -> None:
    publish("--yes")
    steps = [line.split("/")[-1].split(" ")[-1] for line in account.requests if line.startswith(("POST", "PUT"))]
    assert steps[0] == "create"
    assert steps[-1] == "settings"
    downloads = [i for i, line in enumerate(account.requests) if "/resolve/" in line]
    tag = next(i for i, line in enumerate(account.requests) if "/tag/" in line)
    assert max(downloads) < tag


def test_the_table_names_repository_and_commit_and_loads_from_there(
    account: HubAccount, project: Path, capsys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    publish("--yes")
    revision = account.repositories[REPO].head
    assert f'+        revision="{revision}",' in capsys.readouterr().out
    monkeypatch.setattr("asccl.files.bundled_folder", lambda _name: tmp_path / "none")
    spec = importlib.util.spec_from_file_location("changed_hub", project / "asccl" / "hub.py")
    changed = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "changed_hub", changed)
    spec.loader.exec_module(changed)
    assert changed.WEIGHTS[NAME].revision == revision
    assert tmp_path in changed.locate(NAME).parents


def test_the_card_has_licence_measures_and_limits(account: HubAccount, project: Path) -> None:
    main(["publish", "weights", "scc-mobilefacenet", "--repo", "someone/scc", "--yes"])
    files = account.repositories["models/someone/scc"].files
    _, matter, text = files["README.md"].decode().split("---\n", 2)
    metadata = yaml.safe_load(matter)
    assert (metadata["license"], metadata["license_name"]) == ("other", "mit-and-apache-2.0")
    results = metadata["model-index"][0]["results"]
    measures = read_card(CARDS_FOLDER / "scc-mobilefacenet.toml").measures
    assert {metric["value"] for result in results for metric in result["metrics"]} == {m.value for m in measures}
    assert 'load_metric("someone/scc")' in text
    assert "Vladimir Mandic" in files["LICENSE"].decode()
    assert "Apache License" in files["LICENSE"].decode()


def test_a_second_version_is_a_second_commit_and_a_tag_never_moves(account: HubAccount, project: Path, capsys) -> None:
    publish("--yes")
    first = account.repositories[REPO].head
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qam", "."], cwd=project, check=True
    )
    account.repositories[REPO].commit({**account.repositories[REPO].files, "old.txt": b"?"})
    assert publish("--yes") == 1
    assert f"the tag v{__version__} of someone/{NAME} names another commit" in capsys.readouterr().err
    assert publish("--yes", "--tag", "v9") == 0
    assert account.repositories[REPO].tags[f"v{__version__}"] == first
    assert "old.txt" not in account.repositories[REPO].files


def test_a_dirty_tree_is_refused(account: HubAccount, project: Path, capsys) -> None:
    (project / "NOTICE").write_text("changed")
    assert publish("--yes") == 3
    assert "has uncommitted changes (NOTICE): commit or remove them first" in capsys.readouterr().err
    assert account.repositories == {}


def test_an_unknown_licence_is_refused(account: HubAccount, project: Path, renderer, capsys) -> None:
    assert main([*renderer(licence="research only"), "--yes"]) == 3
    assert "the licence 'research only', which this command does not publish" in capsys.readouterr().err
    assert main([*renderer(licence=""), "--yes"]) == 3
    assert "has no licence" in capsys.readouterr().err


def test_weights_of_a_person_need_a_note_of_consent(account: HubAccount, project: Path, renderer, capsys) -> None:
    assert main([*renderer(consent="yes"), "--yes"]) == 3
    assert "its card has no note of consent" in capsys.readouterr().err
    assert main([*renderer(depicts="nobody"), "--yes"]) == 3
    assert "is a ned-renderer, which shows the person" in capsys.readouterr().err
    assert account.repositories == {}
    assert main([*renderer(), "--yes", "--private"]) == 0
    repository = account.repositories["models/someone/person"]
    assert repository.private
    assert CONSENT in repository.files["README.md"].decode()


def test_a_file_of_ones_own_needs_a_card(account: HubAccount, project: Path, renderer, capsys) -> None:
    source = renderer()[2]
    assert main(["publish", "weights", source]) == 2
    assert "has no model card: write one and give it with --card" in capsys.readouterr().err


def test_a_wrong_token_is_refused_before_anything_is_created(
    account: HubAccount, project: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    assert publish("--yes") == 1
    assert "the Hub does not accept the token: log in again" in capsys.readouterr().err
    monkeypatch.setenv("HF_TOKEN", "hf_read")
    assert publish("--yes") == 1
    assert "the token may only read" in capsys.readouterr().err
    assert account.repositories == {}


def test_a_taken_name_is_refused(account: HubAccount, project: Path, capsys) -> None:
    other = account.add(REPO, {"config.json": b"{}", "README.md": b"Mine."})
    assert publish("--yes") == 1
    assert f"the name someone/{NAME} is taken by another repository" in capsys.readouterr().err
    assert len(other.commits) == 1


def test_a_repository_of_somebody_else_is_refused(account: HubAccount, project: Path, capsys) -> None:
    assert main(["publish", "weights", NAME, "--repo", "other/mini", "--yes"]) == 1
    assert "other/mini: the token may not write there" in capsys.readouterr().err


def test_an_interrupted_upload_leaves_an_empty_private_repository_and_continues(
    account: HubAccount, project: Path, capsys
) -> None:
    account.interrupted_uploads = 100
    assert publish("--yes") == 1
    assert "the work on the Hub was interrupted" in capsys.readouterr().err
    repository = account.repositories[REPO]
    assert repository.private
    assert set(repository.files) == {".gitattributes"}
    account.interrupted_uploads = 0
    assert publish("--yes") == 0
    assert not repository.private


def test_a_changed_file_is_neither_tagged_nor_public(account: HubAccount, project: Path, capsys) -> None:
    account.changed_file = "model.safetensors"
    assert publish("--yes") == 1
    assert f"model.safetensors of someone/{NAME} at " in (errors := capsys.readouterr().err)
    assert "was uploaded: it is neither tagged nor made public" in errors
    repository = account.repositories[REPO]
    assert repository.private
    assert repository.tags == {}
    assert "repo=" not in (project / "asccl" / "hub.py").read_text().partition("_TABLE")[2]
