"""The list of packages: what is in it, and that it fits its schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asccl.errors import PublishError
from benchmarks.sbom import check_sbom, licence_of, required_packages, select_packages

pytest.importorskip("cyclonedx", reason="cyclonedx-bom comes with the extra dev")


def component(name: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": f"{name}==1", "name": name, "version": "1"}


@pytest.fixture
def sbom() -> dict[str, Any]:
    """What cyclonedx-bom writes of this project, gradio, numpy, and a tool of developers."""
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": "root", "name": "asccl"}},
        "components": [component(name) for name in ("asccl", "gradio", "numpy", "mypy")],
        "dependencies": [
            {"ref": "gradio==1", "dependsOn": ["numpy==1", "mypy==1"]},
            {"ref": "root", "dependsOn": ["mypy==1"]},
        ],
    }


def test_an_installation_needs_its_libraries_and_those_of_its_libraries() -> None:
    names = required_packages()
    assert {"gradio", "huggingface-hub", "starlette", "numpy"} <= names


def test_an_installation_needs_no_tools_of_developers() -> None:
    assert not {"mypy", "ruff", "pytest", "mkdocs", "cyclonedx-bom"} & required_packages()


def test_tools_of_developers_and_the_project_itself_are_left_out(sbom: dict[str, Any]) -> None:
    selected = select_packages(sbom, {"gradio", "numpy"})
    assert [component["name"] for component in selected["components"]] == ["gradio", "numpy"]
    needs = {entry["ref"]: entry["dependsOn"] for entry in selected["dependencies"]}
    assert needs == {"root": ["gradio==1", "numpy==1"], "gradio==1": ["numpy==1"], "numpy==1": []}


def test_the_list_fits_the_schema_of_cyclonedx(sbom: dict[str, Any]) -> None:
    check_sbom(json.dumps(select_packages(sbom, {"gradio"})))


def test_a_list_that_does_not_fit_is_refused(sbom: dict[str, Any]) -> None:
    del sbom["components"][0]["name"]
    with pytest.raises(PublishError, match=r"does not fit CycloneDX 1\.6"):
        check_sbom(json.dumps(sbom))


@pytest.mark.parametrize(
    ("licences", "text"),
    [
        ([{"license": {"id": "MIT"}}], "MIT"),
        ([{"expression": "MIT OR Apache-2.0"}], "MIT OR Apache-2.0"),
        ([{"license": {"name": "License :: OSI Approved :: BSD License"}}], "BSD License"),
        ([], "unknown"),
    ],
)
def test_licences_are_read_in_all_their_forms(licences: list[dict[str, Any]], text: str) -> None:
    assert licence_of({"licenses": licences}) == text
