"""`import asccl` and the help stay light and off the network."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from media import ROOT

HEAVY = {
    "PIL", "accelerate", "anny", "av", "cv2", "gradio", "huggingface_hub", "jax", "matplotlib", "mediapipe", "scipy",
    "plotly", "torch", "tqdm", "sqlalchemy", "statsmodels", "krippendorff", "choix", "jinja2", "starlette",
}  # fmt: skip
OUTSIDE = {"accelerate", "anny", "gradio", "huggingface_hub"}
WATCHED = """
import json, socket, sys

def no_network(*arguments, **options):
    raise AssertionError("a socket was opened")

socket.socket.__init__ = socket.create_connection = socket.getaddrinfo = no_network
{code}
print(json.dumps(sorted(sys.modules)))
"""


def modules_after(code: str) -> set[str]:
    """Names of the top-level modules that a fresh process has loaded after `code`, which opened no socket."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED.format(code=code)], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_import_asccl_is_light() -> None:
    loaded = modules_after("import asccl; asccl.EditRequest('talk.mp4', emotion='happy')")
    assert "asccl" in loaded
    assert not loaded & HEAVY


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
        "from asccl import Editor; from asccl import zoo; from asccl.face.landmarker import FaceLandmarker; Editor(); FaceLandmarker(); zoo.load_embedder()"
    )
    assert {"mediapipe", "torch"} <= loaded
    assert not loaded & OUTSIDE


def test_an_editor_alone_brings_no_torch() -> None:
    assert "torch" not in modules_after("from asccl import Editor; Editor()")


def test_what_is_offered_exists() -> None:
    import asccl

    assert all(getattr(asccl, name) for name in asccl.__all__)
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        _ = asccl.nothing_of_this_name
