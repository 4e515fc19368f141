"""Release a version: changelog, version, commit, tag, and distributions with the weights and their sha256.

All of it happens in a working tree of its own, which has tracked files alone. The checkout gets commit and tag only
after the distributions were built and checked, so that a release that fails leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from asccl import hub
from asccl.errors import InputError, PublishError, SettingError
from asccl.publish.changelog import name_release, unreleased_notes
from asccl.publish.checkout import TAG_PREFIX, check_clean, check_main_branch, last_version, parse_version, run_git

VERSION_FILE, CITATION_FILE, CHANGELOG_FILE = "asccl/version.py", "CITATION.cff", "CHANGELOG.md"
DISTRIBUTIONS = "dist"
CHECKSUMS = "SHA256SUMS"  # as `sha256sum --check` reads it


@dataclass(frozen=True)
class Release:
    """A version that can be released.

    Attributes:
        version: such as "1.0.2".
        notes: what is new.
        old: name of each file that changes -> its text.
        new: the same files -> their text in the release.
    """

    version: str
    notes: str
    old: Mapping[str, str]
    new: Mapping[str, str]

    @property
    def tag(self) -> str:
        """Name of the tag."""
        return TAG_PREFIX + self.version


def plan_release(root: Path, version: str, day: date) -> Release:
    """Check a checkout, and write nothing.

    Args:
        root: the checkout.
        version: of the release.
        day: of the release.

    Returns:
        What changes.

    Raises:
        SettingError: this is no version, or not the next one.
        InputError: uncommitted changes, another branch, an empty changelog, a file without a version, or distributions
            of this version.
        WeightsError: bundled weights are missing or damaged.
    """
    parsed = parse_version(version)
    if parsed is None:
        raise SettingError(f"{version} is no version", "give three numbers, for example 1.0.2")
    check_clean(root)
    check_main_branch(root)
    if (target := root / DISTRIBUTIONS / version).exists():
        raise InputError(f"{target} exists", "remove it first")
    old = {name: _read(root / name) for name in (CHANGELOG_FILE, VERSION_FILE, CITATION_FILE)}
    _check_order(version, parsed, last_version(root), old[VERSION_FILE])
    for name in hub.WEIGHTS:
        hub.locate(name)
    new = {
        CHANGELOG_FILE: name_release(old[CHANGELOG_FILE], version, day),
        VERSION_FILE: _set_entry(
            old[VERSION_FILE], VERSION_FILE, r'^__version__ = ".*"$', f'__version__ = "{version}"'
        ),
        CITATION_FILE: _set_entry(
            re.sub(r"^date-released:.*\n", "", old[CITATION_FILE], flags=re.MULTILINE),
            CITATION_FILE,
            r"^version: .*$",
            f"version: {version}\ndate-released: {day.isoformat()}",
        ),
    }
    return Release(version, unreleased_notes(old[CHANGELOG_FILE]), old, new)


def build_distributions(tree: Path, folder: Path) -> None:
    """Build the source distribution of a working tree, and from it the wheel. Raises PublishError."""
    time = run_git(tree, "show", "--no-patch", "--format=%ct").strip()  # the same commit gives the same bytes
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(tree)]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "SOURCE_DATE_EPOCH": time}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = next(reversed((done.stderr or done.stdout).strip().splitlines()), "no reason")
        raise PublishError(
            f"the distributions cannot be built ({reason})",
            "run `pip install -e '.[dev]'`, correct the error, try again",
        )


def make_release(root: Path, release: Release, report: Callable[[str], None]) -> Path:
    """Build, check, commit and tag.

    Args:
        root: the checkout.
        release: what `plan_release` returned.
        report: receives a line for each step.

    Returns:
        The folder with the distributions and their sha256.

    Raises:
        PublishError: a step failed; the checkout is as it was.
    """
    target = root / DISTRIBUTIONS / release.version
    with _working_tree(root) as tree, tempfile.TemporaryDirectory(prefix="asccl-release-") as temporary:
        folder = Path(temporary)
        for name, text in release.new.items():
            (tree / name).write_text(text, encoding="utf-8")
        # The hooks call programs of the checkout's .venv, which this tree lacks; `make release` has run the checks.
        run_git(tree, "commit", "--quiet", "--all", "--no-verify", "--message", f"Release {release.version}")
        commit = run_git(tree, "rev-parse", "HEAD").strip()
        build_distributions(tree, folder)
        files = check_distributions(folder, release.version)
        report(f"built {', '.join(f'{path.name} ({path.stat().st_size / 1e6:.1f} MB)' for path in files)}")
        lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
        (folder / CHECKSUMS).write_text("".join(lines), encoding="ascii")
        run_git(root, "merge", "--quiet", "--ff-only", commit)
        run_git(
            root, "tag", "--annotate", "--cleanup=verbatim", "--message", _tag_message(release), release.tag, commit
        )
        report(f"committed {commit[:12]}, tagged {release.tag}")
        target.mkdir(parents=True)
        for path in folder.iterdir():
            shutil.copyfile(path, target / path.name)
    report(f"wrote {target}")
    return target


def check_distributions(folder: Path, version: str) -> list[Path]:
    """Check that a folder has the wheel with all weights, and the source distribution.

    Returns:
        Both files, sorted.

    Raises:
        PublishError: a file is missing, has another version, or lacks weights.
    """
    wheel, source = (folder / f"asccl-{version}{ending}" for ending in ("-py3-none-any.whl", ".tar.gz"))
    for path in (wheel, source):
        if not path.is_file():
            raise PublishError(f"the build made no {path.name}", "correct pyproject.toml, then try again")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for entry in hub.WEIGHTS.values():
            name = f"asccl/checkpoints/{entry.file}"
            if name not in names or hashlib.sha256(archive.read(name)).hexdigest() != entry.sha256:
                raise PublishError(
                    f"{wheel.name} has no {entry.file} with the sha256 of the table",
                    "name the file under force-include in pyproject.toml",
                )
    return sorted([source, wheel])


@contextmanager
def _working_tree(root: Path) -> Iterator[Path]:
    """A second working tree of a checkout at its commit, on no branch, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="asccl-release-") as folder:
        tree = Path(folder) / "asccl"
        run_git(root, "worktree", "add", "--quiet", "--detach", str(tree))
        try:
            yield tree
        finally:
            run_git(root, "worktree", "remove", "--force", str(tree))


def _check_order(version: str, parsed: tuple[int, int, int], last: tuple[int, int, int] | None, source: str) -> None:
    """Raise SettingError unless a version follows that of the last tag, and is not below that of the source."""
    if last is not None and parsed <= last:
        raise SettingError(
            f"{version} does not follow {'.'.join(map(str, last))}, the last tag", "give a higher version"
        )
    match = re.search(r'^__version__ = "(.*)"$', source, re.MULTILINE)
    current = parse_version(match[1]) if match else None
    if current is not None and parsed < current:
        raise SettingError(
            f"{version} is below {'.'.join(map(str, current))} of {VERSION_FILE}", "give a higher version"
        )


def _set_entry(text: str, file: str, pattern: str, line: str) -> str:
    new, count = re.subn(pattern, line, text, flags=re.MULTILINE)
    if count != 1:
        raise InputError(f"{file} does not state one version", "restore that line")
    return new


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})", "restore it") from error


def _tag_message(release: Release) -> str:
    return f"ASCCL {release.version}\n\n{release.notes}\n"
