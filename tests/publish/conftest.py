"""A Hub on loopback, and a small checkout to publish from."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_account import HubAccount, serve_account, use_account
from media import ROOT

from asccl.publish import checkout

COPIED = (
    *("CHANGELOG.md", "CITATION.cff", "LICENSE", "NOTICE", "README.md", "app.py", "packages.txt", "requirements.txt"),
    *("asccl/hub.py", "asccl/version.py", "checkpoints/expression-mini.safetensors", "tests/conftest.py"),
)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubAccount]:
    """An empty Hub that this process is logged in to."""
    with serve_account() as hub:
        use_account(monkeypatch, hub, tmp_path / "cache")
        yield hub


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A clean checkout with a few files of this project."""
    root = tmp_path / "project"
    for name in COPIED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "Begin"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *identity, *command], cwd=root, check=True)
    monkeypatch.setattr(checkout, "PROJECT", root)
    return root
