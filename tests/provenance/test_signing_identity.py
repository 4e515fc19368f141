"""The key that manifests are signed with: where it is kept, and what happens where it cannot be."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from asccl.errors import SettingError
from asccl.provenance import identity
from asccl.provenance.identity import IDENTITY_FILE, known_identity, load_identity


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty configuration folder of a user."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "asccl"


@pytest.fixture
def own(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A certificate chain and its key, named by the variables."""
    made_identity = load_identity()
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_text(made_identity.chain)
    key.write_text(made_identity.key)
    monkeypatch.setenv("ASCCL_C2PA_CERT", str(chain))
    monkeypatch.setenv("ASCCL_C2PA_KEY", str(key))
    return chain, key


def test_only_its_owner_can_read_the_key(config: Path) -> None:
    load_identity()
    assert stat.S_IMODE((config / IDENTITY_FILE).stat().st_mode) == 0o600


def test_a_second_use_reads_the_same_key(config: Path) -> None:
    assert load_identity() == load_identity()


def test_looking_for_a_key_makes_none(config: Path) -> None:
    assert known_identity() is None
    assert not config.exists()


def test_a_damaged_file_is_replaced(config: Path) -> None:
    load_identity()
    (config / IDENTITY_FILE).write_text("damaged")
    assert load_identity().kind == "machine"


def test_a_folder_that_cannot_be_written_gives_a_temporary_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    temporary = load_identity()
    assert temporary.kind == "temporary"
    assert "cannot be kept" in temporary.note


def test_a_temporary_key_lasts_as_long_as_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    assert load_identity().key == load_identity().key


def test_an_expired_certificate_is_replaced(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "VALIDITY", -identity.CLOCK_TOLERANCE / 2)
    monkeypatch.setattr(identity, "_read_kept", lambda path: None)
    expired = load_identity().chain
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config.parent))
    assert load_identity().chain != expired


def test_the_users_own_certificate_comes_first(own: tuple[Path, Path]) -> None:
    assert load_identity().kind == "own"


@pytest.mark.parametrize("variable", ["ASCCL_C2PA_CERT", "ASCCL_C2PA_KEY"])
def test_one_variable_without_the_other_is_refused(
    own: tuple[Path, Path], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable)
    with pytest.raises(SettingError, match=f"{variable} is not set"):
        load_identity()


def test_a_key_of_another_certificate_is_refused(own: tuple[Path, Path]) -> None:
    own[1].write_text(identity._make_identity("machine").key)
    with pytest.raises(SettingError, match="not that of the first certificate"):
        load_identity()


def test_a_file_that_is_no_certificate_is_refused(own: tuple[Path, Path]) -> None:
    own[0].write_text("nothing")
    with pytest.raises(SettingError, match="cannot be used"):
        load_identity()


def test_a_missing_file_is_named(own: tuple[Path, Path]) -> None:
    own[0].unlink()
    with pytest.raises(SettingError, match=r"chain\.pem, which cannot be read"):
        load_identity()


def test_the_package_alone_imports_no_cryptography() -> None:
    code = "import sys, asccl, asccl.provenance.signer; print({'c2pa', 'cryptography'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "set()"
