"""The files, settings and secrets of a Space, and the Space itself in this environment."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
import yaml
from hub_account import HubAccount
from media import ROOT

from asccl import hub
from asccl.__main__ import main
from asccl.errors import InputError
from asccl.publish import space
from asccl.publish.space import build_space, space_address, space_requirements
from asccl.publish.upload import Upload
from benchmarks.offline import guarded_settings, read_attempts
from benchmarks.space import run_app, space_environment, visit, write_files

SPACE = "spaces/someone/asccl"
SECRET = "a secret of studies"


def publish(*arguments: str) -> int:
    return main(["publish", "space", "--repo", "someone/asccl", *arguments])


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "POLL_SECONDS", 0.0)
    monkeypatch.delenv(space.SECRET_VARIABLE, raising=False)
    monkeypatch.delenv(space.TOKEN_VARIABLE, raising=False)


def front_matter(upload: Upload) -> dict:
    return yaml.safe_load(upload.files["README.md"].decode().split("---\n")[1])


def test_a_dry_run_lists_folders_settings_and_sends_nothing(account: HubAccount, project: Path, capsys) -> None:
    assert publish() == 0
    printed = capsys.readouterr().out
    for text in ("checkpoints/ (1 files)", "app.py", "hardware zero-a10g", "Nothing was uploaded"):
        assert text in printed
    assert account.requests == []


def test_a_space_has_tracked_files_of_the_app_alone(project: Path) -> None:
    (project / "checkpoints" / "somebody.safetensors").write_bytes(b"own")
    files = build_space("someone/asccl", "zero-a10g", project).files
    assert "checkpoints/somebody.safetensors" not in files
    assert "tests/conftest.py" not in files
    assert "asccl/version.py" in files


def test_the_front_matter_is_that_of_zero_gpu(project: Path) -> None:
    matter = front_matter(build_space("someone/asccl", "zero-a10g", project))
    assert (matter["sdk"], matter["app_file"], matter["python_version"]) == ("gradio", "app.py", "3.12")
    assert matter["suggested_hardware"] == "zero-a10g"


def test_the_readme_of_the_checkout_names_the_same_python() -> None:
    assert f'python_version: "{space.PYTHON_VERSION}"' in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_locked_gradio_is_that_of_the_front_matter() -> None:
    lock = (ROOT / "requirements-3.12.lock").read_text(encoding="utf-8")
    matter = yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert f"gradio=={matter['sdk_version']}\n" in lock


def test_published_weights_are_preloaded_instead_of_uploaded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    entry = replace(hub.WEIGHTS["expression-mini"], repo="someone/mini", revision="0" * 40)
    monkeypatch.setattr(hub, "WEIGHTS", {entry.name: entry})
    upload = build_space("someone/asccl", "zero-a10g", project)
    assert front_matter(upload)["preload_from_hub"] == [f"someone/mini model.safetensors {'0' * 40}"]
    assert "checkpoints/expression-mini.safetensors" not in upload.files


def test_torch_is_bounded_and_without_a_gpu_of_the_cpu_build() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "\ntorch>=2.9,<2.12\n" in space_requirements(text, "zero-a10g")
    assert "download.pytorch.org" not in space_requirements(text, "zero-a10g")
    assert space_requirements(text, "cpu-basic").startswith("--extra-index-url https://download.pytorch.org/whl/cpu\n")
    with pytest.raises(InputError, match="does not name torch once"):
        space_requirements("numpy\n", "cpu-basic")


def test_the_address_of_a_space_has_no_other_characters() -> None:
    assert space_address("Some_One/My.Space") == "https://some-one-my-space.hf.space"


def test_a_space_is_private_until_it_runs_and_has_the_settings_of_studies(
    account: HubAccount, project: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv(space.SECRET_VARIABLE, SECRET)
    monkeypatch.setenv(space.TOKEN_VARIABLE, "hf_space")
    assert publish("--study", "someone/votes", "--yes") == 0
    repository = account.repositories[SPACE]
    assert (repository.sdk, repository.hardware, repository.private) == ("gradio", "zero-a10g", False)
    assert repository.secrets == {space.SECRET_VARIABLE: SECRET, "HF_TOKEN": "hf_space"}
    assert repository.variables["ASCCL_STUDY_MIRROR"] == "someone/votes"
    assert account.repositories["datasets/someone/votes"].private
    printed = capsys.readouterr().out
    assert SECRET not in printed
    assert printed.index("someone/asccl: running") < printed.index("someone/asccl: public")


def test_a_space_that_does_not_build_stays_private(account: HubAccount, project: Path, capsys) -> None:
    account.stages = ["BUILDING", "BUILD_ERROR"]
    assert publish("--yes") == 1
    assert "the Space someone/asccl stopped with BUILD_ERROR: read its logs" in capsys.readouterr().err
    assert account.repositories[SPACE].private


def test_a_study_without_secret_or_token_is_refused(
    account: HubAccount, project: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    assert publish("--study", "someone/votes") == 2
    assert f"set {space.SECRET_VARIABLE} in the environment" in capsys.readouterr().err
    monkeypatch.setenv(space.SECRET_VARIABLE, SECRET)
    assert publish("--study", "someone/votes") == 2
    assert f"set {space.TOKEN_VARIABLE} in the environment" in capsys.readouterr().err


def test_a_public_data_set_takes_no_votes(
    account: HubAccount, project: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    account.add("datasets/someone/votes", {"a": b""})
    monkeypatch.setenv(space.SECRET_VARIABLE, SECRET)
    monkeypatch.setenv(space.TOKEN_VARIABLE, "hf_space")
    assert publish("--study", "someone/votes", "--yes") == 1
    assert "the data set someone/votes is public" in capsys.readouterr().err


def test_the_space_serves_its_page_and_an_edit_without_a_home(tmp_path: Path, short_clip: Path) -> None:
    write_files(build_space("someone/asccl", "zero-a10g", ROOT), tmp_path / "space")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "connections.log"
    settings = {**space_environment(port), **guarded_settings(log)}
    with run_app([sys.executable, "app.py"], tmp_path / "space", port, settings) as running:
        assert "-edited.mp4" in visit(running, short_clip, adapt=False).edited
    assert read_attempts(log) == []  # no connection to another machine, neither at the start nor for the edit
