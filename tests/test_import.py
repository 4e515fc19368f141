"""`import asccl` and the help import no heavy package and use no network."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest
from media import ROOT

HEAVY = {
    "PIL",
    "accelerate",
    "anny",
    "av",
    "cv2",
    "gradio",
    "huggingface_hub",
    "jax",
    "matplotlib",
    "mediapipe",
    "scipy",
    "plotly",
    "torch",
    "tqdm",
    "sqlalchemy",
    "statsmodels",
    "choix",
    "jinja2",
    "starlette",
}
OPTIONAL = {"accelerate", "anny", "gradio", "huggingface_hub"}
SCRIPT = """
import json, socket, sys

def no_network(*arguments, **options):
    raise AssertionError("a socket was opened")

socket.socket.__init__ = socket.create_connection = socket.getaddrinfo = no_network
{code}
print(json.dumps(sorted(sys.modules)))
"""


def modules_after(code: str) -> set[str]:
    """Names of the top-level modules that a new process has imported after `code`, which may not open a socket."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(code=code)], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize("code", ["asccl.EditRequest('talk.mp4', emotion='happy')", "import asccl.metric, asccl.zoo"])
def test_import_asccl_is_light(code: str) -> None:
    imported = modules_after(f"import asccl; {code}")
    assert "asccl" in imported
    assert not imported & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["edit", "--help"], ["analyze", "--help"], ["edit", "talk.mp4"]])
def test_help_and_refusals_are_light(arguments: list[str]) -> None:
    code = f"""
from asccl.__main__ import main
try:
    main({arguments!r})
except SystemExit:
    pass
"""
    assert not modules_after(code) & HEAVY


def test_the_engine_needs_neither_gradio_nor_the_hub() -> None:
    loaded = modules_after(
        "from asccl import Editor, zoo; from asccl.face.landmarker import FaceLandmarker; "
        "Editor(); FaceLandmarker(); zoo.load_embedder()"
    )
    assert {"mediapipe", "torch"} <= loaded
    assert not loaded & OPTIONAL


def test_creating_an_editor_does_not_import_torch() -> None:
    assert "torch" not in modules_after("from asccl import Editor; Editor()")


@pytest.mark.parametrize("module", ["asccl", "asccl.metric"])
def test_every_exported_name_exists(module: str) -> None:
    package = importlib.import_module(module)
    assert all(getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name
