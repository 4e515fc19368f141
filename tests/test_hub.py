"""Locating files of weights in local folders."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import DATA, SMALL_FILE

from asccl import hub
from asccl.errors import WeightsError
from asccl.files import bundled_folder

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two empty local folders in the order of the search, and `small` in the table."""
    user, bundled = tmp_path / "user", tmp_path / "bundled"
    user.mkdir()
    bundled.mkdir()
    monkeypatch.setenv("ASCCL_CHECKPOINTS", str(user))
    monkeypatch.delenv("ASCCL_HUB_REPO", raising=False)
    monkeypatch.setattr(hub, "BUNDLED_FOLDER", bundled)
    monkeypatch.setattr(hub, "WEIGHTS", {"small": SMALL_FILE})
    return user, bundled


def test_the_bundled_folder_is_inside_an_installed_package_and_beside_one_in_a_checkout(tmp_path):
    package = tmp_path / "asccl"
    assert bundled_folder("checkpoints", package) == tmp_path / "checkpoints"
    (package / "checkpoints").mkdir(parents=True)
    assert bundled_folder("checkpoints", package) == package / "checkpoints"


@pytest.mark.parametrize("name", sorted(hub.WEIGHTS))
def test_bundled_files_are_those_of_the_table_and_of_the_readme(name):
    weight = hub.WEIGHTS[name]
    path = hub.BUNDLED_FOLDER / weight.file
    assert path.stat().st_size == weight.size
    assert hub.sha256(path) == weight.sha256
    assert weight.sha256 in (hub.BUNDLED_FOLDER / "README.md").read_text()
    assert hub.locate(name) == path


def test_the_users_folder_comes_before_the_bundled_one(folders):
    user, bundled = folders
    (bundled / "small.bin").write_bytes(DATA)
    assert hub.locate("small") == bundled / "small.bin"
    (user / "small.bin").write_bytes(DATA)
    assert hub.locate("small") == user / "small.bin"


def test_the_error_for_a_missing_file_names_the_folders_and_the_recipe(folders):
    with pytest.raises(
        WeightsError, match=r"small\.bin is not in .*user and .*bundled, and it is not published"
    ) as error:
        hub.locate("small")
    assert SMALL_FILE.recipe in error.value.remedy


def test_unknown_name_lists_the_known(folders):
    with pytest.raises(WeightsError, match="choose one of small"):
        hub.locate("smal")


def test_incomplete_and_other_files_are_refused_although_the_next_folder_has_the_right_one(folders):
    user, bundled = folders
    (bundled / "small.bin").write_bytes(DATA)
    (user / "small.bin").write_bytes(DATA[:1000])
    with pytest.raises(WeightsError, match=r"user/small\.bin has 1000 bytes, but small has"):
        hub.locate("small")
    (user / "small.bin").write_bytes(DATA[::-1])
    with pytest.raises(WeightsError, match=r"user/small\.bin has sha256"):
        hub.locate("small")


def test_sha256_is_read_once_and_again_when_the_file_changes(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    opened = []
    original = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *args: opened.append(self) or original(self, *args))
    assert hub.sha256(path) == hub.sha256(path) == hashlib.sha256(b"one").hexdigest()
    assert len(opened) == 1
    with original(path, "wb") as file:
        file.write(b"two")
    os.utime(path, ns=(1, 1))  # another time, even where the clock is coarse
    assert hub.sha256(path) == hashlib.sha256(b"two").hexdigest()


def test_import_needs_neither_torch_nor_the_hub():
    code = "import sys, asccl.hub, asccl.zoo; print(*({'torch', 'huggingface_hub'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_resolve_takes_paths(folders, tmp_path, monkeypatch):
    path = tmp_path / "own.safetensors"
    path.write_bytes(DATA)
    (folders[0] / "small.bin").write_bytes(DATA)
    monkeypatch.chdir(tmp_path)
    assert hub.resolve(path) == hub.resolve(str(path)) == path
    assert hub.resolve("own.safetensors") == Path("own.safetensors")
    assert hub.resolve("small") == folders[0] / "small.bin"
    assert hub.resolve(path, sha256=SMALL_FILE.sha256.upper()) == path
    with pytest.raises(WeightsError, match="has sha256"):
        hub.resolve(path, sha256="0" * 64)
    with pytest.raises(WeightsError, match="user is a folder: give the file in it"):
        hub.resolve("user")
    for wrong in ("none.safetensors", "some/none.safetensors", "./some/none", "/some/none", Path("none")):
        with pytest.raises(WeightsError, match=r"there is no file .*none.*: correct the path"):
            hub.resolve(wrong)
    with pytest.raises(WeightsError, match="there are no weights 'smal': choose one of small, or give a file"):
        hub.resolve("smal")
