from __future__ import annotations

import hashlib
import os
import pty
import subprocess
import sys
import termios
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hub_server import COMMIT, serve_hub
from safetensors.torch import save_file

from asccl import hub
from asccl.errors import WeightsError

ROOT = Path(__file__).parent.parent
DATA = bytes(range(256)) * 1000
TINY = hub.WeightsFile(
    "tiny", "tiny.bin", None, None, hashlib.sha256(DATA).hexdigest(), "CC0-1.0", len(DATA), "python -m training.tiny"
)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two empty local folders in the order of search, and `tiny` in the table."""
    own, bundled = tmp_path / "own", tmp_path / "bundled"
    own.mkdir()
    bundled.mkdir()
    monkeypatch.setenv("ASCCL_CHECKPOINTS", str(own))
    monkeypatch.delenv("ASCCL_HUB_REPO", raising=False)
    monkeypatch.setattr(hub, "BUNDLED_FOLDER", bundled)
    monkeypatch.setattr(hub, "WEIGHTS", {"tiny": TINY})
    return own, bundled


@pytest.mark.parametrize("name", sorted(hub.WEIGHTS))
def test_bundled_files_are_those_of_the_table_and_of_the_readme(name):
    weight = hub.WEIGHTS[name]
    path = hub.BUNDLED_FOLDER / weight.file
    assert path.stat().st_size == weight.size
    assert hub.sha256(path) == weight.sha256
    assert weight.sha256 in (hub.BUNDLED_FOLDER / "README.md").read_text()
    assert hub.locate(name) == path


def test_own_folder_comes_before_the_bundled_one(folders):
    own, bundled = folders
    (bundled / "tiny.bin").write_bytes(DATA)
    assert hub.locate("tiny") == bundled / "tiny.bin"
    (own / "tiny.bin").write_bytes(DATA)
    assert hub.locate("tiny") == own / "tiny.bin"


def test_missing_file_names_the_places_and_the_recipe(folders):
    with pytest.raises(
        WeightsError, match=r"tiny\.bin is not in .*own and .*bundled, and it is not published"
    ) as error:
        hub.locate("tiny")
    assert TINY.recipe in error.value.remedy


def test_unknown_name_lists_the_known(folders):
    with pytest.raises(WeightsError, match="choose one of tiny"):
        hub.locate("tinny")


def test_half_a_file_and_another_file_are_refused_although_the_next_folder_has_it(folders):
    own, bundled = folders
    (bundled / "tiny.bin").write_bytes(DATA)
    (own / "tiny.bin").write_bytes(DATA[:1000])
    with pytest.raises(WeightsError, match=r"own/tiny\.bin has 1000 bytes"):
        hub.locate("tiny")
    (own / "tiny.bin").write_bytes(DATA[::-1])
    with pytest.raises(WeightsError, match=r"own/tiny\.bin has sha256"):
        hub.locate("tiny")


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


def test_load_safetensors_is_strict(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file({"a": torch.ones(2, 3), "b": torch.zeros(1)}, path)
    assert set(hub.load_safetensors(path, {"a": (2, 3), "b": (1,)})) == {"a", "b"}
    with pytest.raises(WeightsError, match=r"lacks c and has b too much"):
        hub.load_safetensors(path, {"a": (2, 3), "c": (1,)})
    with pytest.raises(WeightsError, match=r"a in .* is \(2, 3\), not \(3, 2\)"):
        hub.load_safetensors(path, {"a": (3, 2), "b": (1,)})
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        hub.load_safetensors(path, {"a": (2, 3), "b": (1,)})


def test_import_needs_neither_torch_nor_the_hub():
    code = "import sys, asccl.hub, asccl.zoo; print(*({'torch', 'huggingface_hub'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture
def stand(tmp_path):
    """Starts a Hub on loopback: `start(data=..., ...)` -> (`locate` in a fresh process, its request log)."""
    with ExitStack() as stack:

        def start(data=DATA, **options):
            served = stack.enter_context(serve_hub({"tiny.bin": data, "model.safetensors": data}, **options))

            def locate(weight=TINY, **environment):
                return ask_new_process('hub.locate("tiny")', tmp_path, served.url, environment, weight)[0]

            locate.served = served
            return locate, served.requests

        yield start


@pytest.fixture
def resolve(stand, tmp_path):
    """`start(data=..., ...)` -> (`resolve` of its arguments in a fresh process: what it says and its stderr, log)."""

    def start(**options):
        locate, asked = stand(**options)

        def run(arguments, **environment):
            return ask_new_process(f"hub.resolve({arguments})", tmp_path, locate.served.url, environment)

        return run, asked

    return start


def ask_new_process(
    call: str, folder: Path, endpoint: str, environment: dict[str, str], weight: hub.WeightsFile = TINY
) -> tuple[str, str]:
    """What it printed, and what a terminal showed of its stderr."""
    code = f"""
from pathlib import Path
from asccl import hub
from asccl.errors import WeightsError
from asccl.hub import WeightsFile
hub.BUNDLED_FOLDER, hub.WEIGHTS = Path({str(folder / "none")!r}), {{"tiny": {weight!r}}}
try:
    print({call})
except WeightsError as error:
    print("WeightsError", error)
"""
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("HF_", "ASCCL_", "HTTP", "http", "ALL_PROXY"))
    }
    environment = {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "cache"), "NO_PROXY": "*", **environment}
    command = [sys.executable, "-c", code]
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (25, 100))
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=inherited | environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        os.write(stderr, b"\n")  # or there might be nothing to read
        told = os.read(terminal, 1 << 16).decode()
    finally:
        os.close(terminal)
        os.close(stderr)
    assert done.returncode == 0, told
    return done.stdout.strip(), told


def test_hub_download_then_cache_then_offline(stand):
    locate, asked = stand()
    published = replace(TINY, repo="someone/weights", revision=COMMIT)
    path = Path(locate(published))
    assert path.read_bytes() == DATA
    assert asked == [f"{verb} /someone/weights/resolve/{COMMIT}/tiny.bin" for verb in ("HEAD", "GET")]
    assert locate(published) == locate(published, HF_HUB_OFFLINE="1") == str(path)
    assert len(asked) == 2  # a pinned revision in the cache needs no question


def test_hub_repository_from_the_environment(stand):
    locate, asked = stand()
    assert Path(locate(ASCCL_HUB_REPO="someone/weights")).read_bytes() == DATA
    assert "/resolve/main/" in asked[0]
    locate(replace(TINY, repo="else/where", revision=COMMIT), ASCCL_HUB_REPO=f"someone/weights@{COMMIT}")
    assert all("/someone/weights/" in line for line in asked)


def test_hub_offline_without_the_file(stand):
    locate, asked = stand()
    answer = locate(ASCCL_HUB_REPO="someone/weights", HF_HUB_OFFLINE="1")
    assert answer.startswith("WeightsError tiny.bin of someone/weights is not on this machine")
    assert "HF_HUB_OFFLINE" in answer
    assert not asked


def test_hub_with_another_file_of_that_name(stand):
    locate, _ = stand(data=DATA[::-1])
    assert "has sha256" in locate(ASCCL_HUB_REPO="someone/weights")


def test_hub_without_the_file_or_the_repository(stand):
    locate, _ = stand()
    missing = locate(replace(TINY, file="other.bin"), ASCCL_HUB_REPO="someone/weights")
    assert missing.startswith("WeightsError there is no other.bin of someone/weights")
    assert locate(ASCCL_HUB_REPO="no/body").startswith("WeightsError the Hub refuses tiny.bin of no/body")
    assert locate(ASCCL_HUB_REPO="a/b/c").startswith("WeightsError tiny.bin of a/b/c could not be fetched")


def test_hub_cut_off_leaves_nothing_that_counts(stand):
    locate, _ = stand(missing_bytes=5000)
    assert locate(ASCCL_HUB_REPO="someone/weights").startswith("WeightsError")
    whole, _ = stand()
    assert Path(whole(ASCCL_HUB_REPO="someone/weights")).read_bytes() == DATA


def test_hub_repository_in_place_of_a_name(resolve):
    run, asked = resolve()
    path, told = run(f'"someone/weights@{COMMIT}:tiny.bin"')
    assert Path(path).read_bytes() == DATA
    assert "tiny.bin: 100%" in told  # the bar
    count = len(asked)
    assert run(f'"someone/weights@{COMMIT}:tiny.bin"')[0] == path
    assert len(asked) == count
    assert Path(run('"someone/weights"', ASCCL_HUB_REPO="else/where")[0]).name == "model.safetensors"
    assert asked[count].endswith("/resolve/main/model.safetensors")


def test_hub_repository_offline(resolve):
    run, asked = resolve()
    answer, _ = run('"someone/weights:tiny.bin"', HF_HUB_OFFLINE="1")
    assert answer.startswith("WeightsError tiny.bin of someone/weights is not on this machine and the Hub cannot be")
    path, _ = run('"someone/weights:tiny.bin"')
    count = len(asked)
    assert run('"someone/weights:tiny.bin"', HF_HUB_OFFLINE="1")[0] == path
    assert len(asked) == count


def test_hub_repository_that_sends_other_bytes_than_it_states(resolve):
    run, _ = resolve(claimed_sha256=hashlib.sha256(DATA[::-1]).hexdigest())
    answer, _ = run('"someone/weights:tiny.bin"')
    assert "has sha256" in answer and "where tiny.bin of someone/weights has" in answer


def test_hub_repository_with_a_sha256_of_ones_own(resolve):
    run, _ = resolve()
    assert Path(run(f'"someone/weights:tiny.bin", sha256="{TINY.sha256}"')[0]).read_bytes() == DATA
    assert "where what was asked for has 0000" in run(f'"someone/weights:tiny.bin", sha256="{"0" * 64}"')[0]


def test_hub_repository_without_the_file_or_the_revision(resolve):
    run, _ = resolve()
    missing, _ = run('"someone/weights:none.bin"')
    assert missing.startswith("WeightsError there is no none.bin of someone/weights: correct the repository's name")
    assert "the Hub refuses tiny.bin of someone/weights at v9" in run('"someone/weights@v9:tiny.bin"')[0]
    assert "the Hub refuses model.safetensors of no/body" in run('"no/body"')[0]


def test_hub_goes_on_where_a_transfer_was_cut_off(resolve):
    data = DATA * 45  # the client keeps whole pieces of 10 MB
    run, asked = resolve(data=data, missing_bytes=5000, missing_times=1)
    path, _ = run('"someone/weights:tiny.bin"')
    assert Path(path).read_bytes() == data
    assert asked[-1].endswith("bytes=10485760-")


def test_a_path_in_place_of_a_name(folders, tmp_path, monkeypatch):
    path = tmp_path / "own.safetensors"
    path.write_bytes(DATA)
    (folders[0] / "tiny.bin").write_bytes(DATA)
    monkeypatch.chdir(tmp_path)
    assert hub.resolve(path) == hub.resolve(str(path)) == path
    assert hub.resolve("own.safetensors") == Path("own.safetensors")
    assert hub.resolve("tiny") == folders[0] / "tiny.bin"
    assert hub.resolve(path, sha256=TINY.sha256.upper()) == path
    with pytest.raises(WeightsError, match="has sha256"):
        hub.resolve(path, sha256="0" * 64)
    with pytest.raises(WeightsError, match="own is a folder: give the file in it"):
        hub.resolve("own")
    for wrong in ("none.safetensors", "some/none.safetensors", "./some/none", "/some/none", Path("none")):
        with pytest.raises(WeightsError, match=r"there is no file .*none.*: correct the path"):
            hub.resolve(wrong)
    with pytest.raises(WeightsError, match="there are no weights 'tinny': choose one of tiny, or give a file"):
        hub.resolve("tinny")


def test_metadata_of_no_safetensors_file(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(DATA)
    with pytest.raises(WeightsError, match=r"is not a whole safetensors file.*import-weights"):
        hub.read_metadata(path)
