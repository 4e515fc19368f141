"""Every dependency has bounds, and the lock files keep them."""

from __future__ import annotations

import re
import tomllib

import pytest
from media import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCKS = sorted(ROOT.glob("requirements-3.*.lock"))
UNBOUNDED_OPERATORS = {">", ">=", "!="}


def declared() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    texts = [line for line in lines if line and not line.startswith("#")]
    return [Requirement(text) for text in [*texts, *(text for extra in extras.values() for text in extra)]]


def locked(path) -> dict[str, Version]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in lines)}


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_every_dependency_has_an_upper_bound(requirement: Requirement) -> None:
    assert {specifier.operator for specifier in requirement.specifier} - UNBOUNDED_OPERATORS


def test_there_is_a_lock_file_for_each_python() -> None:
    assert [path.name for path in LOCKS] == ["requirements-3.11.lock", "requirements-3.12.lock"]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_locked_versions_are_within_the_bounds(path) -> None:
    versions = locked(path)
    outside = [
        f"{requirement} {versions[name]}"
        for requirement in declared()
        if (name := canonicalize_name(requirement.name)) in versions and versions[name] not in requirement.specifier
    ]
    assert outside == []


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_a_lock_file_has_no_local_labels_and_every_run_time_dependency(path) -> None:
    assert not re.search(r"==.*\+", path.read_text(encoding="utf-8"))
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = {canonicalize_name(Requirement(line).name) for line in lines if line and not line.startswith("#")}
    assert names <= set(locked(path))
