"""`asccl publish release`: what is refused, what changes, and what stays after a failure."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from media import ROOT

from asccl import __version__, hub
from asccl.__main__ import main
from asccl.errors import PublishError
from asccl.publish import checkout, release
from asccl.publish.checkout import last_version

CHANGELOG = "# Changelog\n\n## Unreleased\n\n### Added\n\n- Something new.\n\n## 0.9.0 - 2026-01-01\n\n- The first.\n"
WEIGHTS = b"weights"


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A clean checkout of version 0.9.0, tagged, with one file of weights in the table."""
    root = tmp_path / "tiny"
    for name, text in {
        "CHANGELOG.md": CHANGELOG,
        "CITATION.cff": "title: ASCCL\nversion: 0.9.0\ndate-released: 2026-01-01\n",
        "asccl/version.py": '__version__ = "0.9.0"\n',
        ".gitignore": "dist/\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q", "-b", "main")
    for setting in ("user.name", "user.email"):
        git(root, "config", setting, "a@example.org")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Begin")
    git(root, "tag", "v0.9.0")
    entry = replace(hub.WEIGHTS["expression-mini"], file="small.bin", sha256=hashlib.sha256(WEIGHTS).hexdigest())
    monkeypatch.setattr(hub, "WEIGHTS", {entry.name: entry})
    monkeypatch.setattr(hub, "locate", lambda _name: root)
    monkeypatch.setattr(checkout, "PROJECT", root)
    return root


def pack(tree: Path, folder: Path, weights: bytes = WEIGHTS) -> None:
    """Write the distributions of a working tree, in place of the build backend."""
    version = (tree / "asccl" / "version.py").read_text().split('"')[1]
    with zipfile.ZipFile(folder / f"asccl-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("asccl/checkpoints/small.bin", weights)
    (folder / f"asccl-{version}.tar.gz").write_bytes(b"source")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "build_distributions", pack)


def make(*arguments: str) -> int:
    return main(["publish", "release", *arguments])


def test_a_dry_run_shows_the_changes_and_makes_none(tiny: Path, capsys) -> None:
    commit = git(tiny, "rev-parse", "HEAD")
    assert make("1.0.0") == 0
    printed = capsys.readouterr().out
    for line in ("+## 1.0.0 - ", '+__version__ = "1.0.0"', "+version: 1.0.0", "Nothing was changed. Add --yes"):
        assert line in printed
    assert (git(tiny, "rev-parse", "HEAD"), git(tiny, "status", "--porcelain")) == (commit, "")


def test_a_release_is_one_commit_with_version_changelog_and_tag(tiny: Path, built: None) -> None:
    assert make("1.0.0", "--yes") == 0
    assert git(tiny, "log", "--format=%s") == "Release 1.0.0\nBegin\n"
    assert (tiny / "asccl" / "version.py").read_text() == '__version__ = "1.0.0"\n'
    assert yaml.safe_load((tiny / "CITATION.cff").read_text())["version"] == "1.0.0"
    assert git(tiny, "rev-parse", "v1.0.0^{commit}") == git(tiny, "rev-parse", "main")
    assert "- Something new." in git(tiny, "tag", "--list", "--format=%(contents)", "v1.0.0")
    assert git(tiny, "status", "--porcelain") == ""


def test_the_notes_move_below_an_empty_section(tiny: Path, built: None) -> None:
    make("1.0.0", "--yes")
    headings = [line[:9] for line in (tiny / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert headings == ["## Unrele", "## 1.0.0 ", "## 0.9.0 "]
    assert make("1.1.0") == 3  # nothing is new yet


def test_the_distributions_have_their_checksums(tiny: Path, built: None) -> None:
    make("1.0.0", "--yes")
    folder = tiny / "dist" / "1.0.0"
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["SHA256SUMS", "asccl-1.0.0-py3-none-any.whl", "asccl-1.0.0.tar.gz"]


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.0", "1.0 is no version: give three numbers"),
        ("v1.0.0", "is no version"),
        ("01.0.0", "is no version"),
        ("0.9.0", "0.9.0 does not follow 0.9.0, the last tag"),
        ("0.8.9", "does not follow 0.9.0"),
    ],
)
def test_only_a_higher_version_is_released(tiny: Path, capsys, version: str, reason: str) -> None:
    assert make(version, "--yes") == 2
    assert reason in capsys.readouterr().err


def test_versions_are_compared_as_numbers(tiny: Path) -> None:
    for tag in ("v0.10.0", "v0.9.9", "very-old"):
        git(tiny, "tag", tag)
    assert last_version(tiny) == (0, 10, 0)


def test_the_first_release_may_have_the_version_of_the_source(tiny: Path, built: None) -> None:
    git(tiny, "tag", "-d", "v0.9.0")
    (tiny / "CHANGELOG.md").write_text(CHANGELOG.partition("## 0.9.0")[0])
    git(tiny, "commit", "-qam", "Forget")
    assert make("0.8.0") == 2
    assert make("0.9.0", "--yes") == 0


def test_uncommitted_changes_and_another_branch_are_refused(tiny: Path, capsys) -> None:
    (tiny / "CITATION.cff").write_text("version: 3")
    assert make("1.0.0", "--yes") == 3
    assert "has uncommitted changes (CITATION.cff)" in capsys.readouterr().err
    git(tiny, "checkout", "-q", "-f", "-b", "topic")
    assert make("1.0.0", "--yes") == 3
    assert "is on the branch topic, not on main: run `git switch main` first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# Changelog\n\n## Unreleased\n\n### Added\n\n## 0.9.0 - 2026-01-01\n\n- Old.\n", "is empty"),
        ("# Changelog\n", "has no section Unreleased"),
    ],
)
def test_a_release_without_notes_is_refused(tiny: Path, capsys, text: str, reason: str) -> None:
    (tiny / "CHANGELOG.md").write_text(text)
    git(tiny, "commit", "-qam", "Change")
    assert make("1.0.0", "--yes") == 3
    assert reason in capsys.readouterr().err


def test_a_wheel_with_other_weights_leaves_the_checkout_as_it_was(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(release, "build_distributions", lambda tree, folder: pack(tree, folder, b"other"))
    commit = git(tiny, "rev-parse", "HEAD")
    assert make("1.0.0", "--yes") == 1
    assert "has no small.bin with the sha256 of the table" in capsys.readouterr().err
    assert (git(tiny, "rev-parse", "HEAD"), git(tiny, "tag"), git(tiny, "status", "--porcelain")) == (
        commit,
        "v0.9.0\n",
        "",
    )
    assert len(git(tiny, "worktree", "list").splitlines()) == 1


def test_a_build_that_fails_says_why(tiny: Path) -> None:
    (tiny / "pyproject.toml").write_text("[build-system]\nrequires = []\nbuild-backend = 'nothing'\n")
    with pytest.raises(PublishError, match="the distributions cannot be built"):
        release.build_distributions(tiny, tiny.parent)


def test_a_package_inside_another_project_is_no_checkout(tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(checkout, "PROJECT", tiny / "asccl")
    assert make("1.0.0") == 3
    assert "is not a checkout of this project" in capsys.readouterr().err


def test_the_citation_names_the_version_of_the_source() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__
