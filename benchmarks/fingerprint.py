"""Fingerprint every result that a refactoring must not change.

    python -m benchmarks.fingerprint record build/before.json     # on the old commit
    python -m benchmarks.fingerprint compare build/before.json    # on the new one, on the same machine

The fingerprints are SHA-256 of the decoded pixels and of the sound packets of the examples edited to every emotion and
to one reference, of previews, of the tensors that every smoke training writes, and of the bundled files. Reports of
edits and of an analysis are compared key by key: every key recorded before must still exist with its value, new keys
may appear. Only interfaces that are declared stable are called (the commands, `Editor.preview`, the training scripts),
so the script runs on both sides of a move. Floating-point results depend on processor and library versions: record and
compare on one machine.

`--bake` also runs the recipe of the bundled head, which takes minutes and needs the extra `train`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from asccl.types import EMOTIONS
from asccl.video import Reader
from asccl.video.container import open_container
from asccl.video.limits import UNLIMITED

ROOT = Path(__file__).parent.parent
EXAMPLES = ("astronaut.jpg", "astronaut.mp4", "rendered.mp4")
REFERENCE = "rendered.mp4"
PREVIEW_TIME = 1.0  # seconds
TRAININGS = ("train_metric", "train_manipulator", "train_renderer")
VOLATILE_KEYS = {"seconds", "software", "output", "source", "generated"}  # times, versions and paths


def digest(*parts: bytes) -> str:
    """Return the SHA-256 of all parts, in hex."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part)
    return sha.hexdigest()


def media_digests(path: Path) -> dict[str, str]:
    """Return the SHA-256 of the decoded RGB frames with time stamps, and of the sound packets, of a video or still."""
    pixels, sound = hashlib.sha256(), hashlib.sha256()
    with Reader(path) as reader:
        for frame in reader:
            pixels.update(frame.image.tobytes() + str(frame.pts).encode())
    if not reader.info.is_still:
        with open_container(path, UNLIMITED.max_pixels) as container:
            for packet in container.demux():
                if packet.stream.type == "audio" and packet.size:
                    sound.update(bytes(packet) + str(packet.pts).encode())
    return {"frames": pixels.hexdigest(), "sound": sound.hexdigest()}


def tensor_digest(path: Path) -> str:
    """Return the SHA-256 of names, types and values of all tensors of a safetensors file, without its metadata."""
    from safetensors.numpy import load_file

    tensors = load_file(path)
    parts = (
        f"{name} {value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes()
        for name, value in sorted(tensors.items())
    )
    return digest(*parts)


def run_asccl(*arguments: str) -> None:
    """Run one `python -m asccl` command in this process. Raises SystemExit when it fails."""
    from asccl.__main__ import main

    with contextlib.redirect_stdout(io.StringIO()):
        status = main(list(arguments))
    if status:
        raise SystemExit(f"`asccl {' '.join(arguments)}` exits with status {status}")


def edits(folder: Path) -> Iterator[tuple[str, Any]]:
    """Edit all examples; yield media digests and reports."""
    for name in EXAMPLES:
        source = ROOT / "examples" / name
        targets = [(emotion, ("--emotion", emotion)) for emotion in EMOTIONS]
        targets.append(("reference", ("--reference", str(ROOT / "examples" / REFERENCE))))
        for label, options in targets:
            output, report = folder / f"{source.stem}-{label}{source.suffix}", folder / "report.json"
            run_asccl("edit", str(source), *options, "-o", str(output), "--json", str(report))
            yield f"edit/{name}/{label}", media_digests(output)
            yield f"report/{name}/{label}", json.loads(report.read_text())


def preview() -> Iterator[tuple[str, Any]]:
    """Preview one moment, with the whole clip edited, a part of it, and by NED's manipulator."""
    from asccl import Editor, EditRequest
    from asccl.editing.threads import limit_threads

    limit_threads()
    editor, source = Editor(), ROOT / "examples" / "astronaut.mp4"
    for label, options in (("whole", {}), ("range", {"start": 0.5, "end": 2.5}), ("ned", {"generator": "ned"})):
        preview_image = editor.preview(EditRequest(source, emotion="happy", **options), PREVIEW_TIME)
        yield f"preview/{label}", digest(preview_image.source.tobytes(), preview_image.edited.tobytes())


def analysis(folder: Path) -> Iterator[tuple[str, Any]]:
    """Compare an example with its edit; yield the report."""
    report = folder / "analysis.json"
    source, edited = ROOT / "examples" / "astronaut.mp4", folder / "astronaut-happy.mp4"
    run_asccl("analyze", str(source), str(edited), "-o", str(report))
    yield "analysis", json.loads(report.read_text())


def trainings(folder: Path) -> Iterator[tuple[str, Any]]:
    """Run every smoke training; yield a digest of its weights."""
    for name in TRAININGS:
        weights = folder / f"{name}.safetensors"
        command = [sys.executable, "-m", f"training.{name}", "--preset", "smoke", "--output", str(folder / name)]
        subprocess.run([*command, "--weights", str(weights)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        yield f"training/{name}", tensor_digest(weights)


def bundled() -> Iterator[tuple[str, Any]]:
    """Yield digests of the files of `checkpoints/` and `examples/`, and the recipes that the former carry."""
    from safetensors import safe_open

    for path in sorted((ROOT / "checkpoints").glob("*.safetensors")):
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
        yield f"bundled/{path.name}", {"sha256": digest(path.read_bytes()), "recipe": metadata.get("recipe")}
    for name in EXAMPLES:
        yield f"bundled/{name}", digest((ROOT / "examples" / name).read_bytes())


def baking(folder: Path, module: str) -> Iterator[tuple[str, Any]]:
    """Run the recipe of the bundled head; yield a digest of its file."""
    output = folder / "head.safetensors"
    subprocess.run([sys.executable, "-m", module, "-o", str(output)], cwd=ROOT, check=True)
    yield "baked/head-anny", digest(output.read_bytes())


def fingerprint(bake_module: str | None = None) -> dict[str, Any]:
    """Compute all fingerprints. bake_module: the module of the recipe of the head, None to leave it out."""
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = [bundled(), edits(folder), preview(), analysis(folder), trainings(folder)]
        if bake_module:
            steps.append(baking(folder, bake_module))
        for step in steps:
            for key, value in step:
                print(key, flush=True)
                results[key] = value
    return results


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield what `after` lacks or changes. Keys that only `after` has are no difference.

    Args:
        before: a JSON value.
        after: a JSON value.
        path: where both lie in the whole, for the messages.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in VOLATILE_KEYS:
                continue
            if key not in after:
                yield f"{path}/{key}: missing"
            else:
                yield from differences(value, after[key], f"{path}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (a, b) in enumerate(zip(before, after, strict=True)):
            yield from differences(a, b, f"{path}/{index}")
    elif before != after and not (is_nan(before) and is_nan(after)):
        yield f"{path}: {before!r} -> {after!r}"


def is_nan(value: Any) -> bool:
    """Return whether a JSON value is NaN, which differs from itself."""
    return isinstance(value, float) and math.isnan(value)


def main() -> int:
    """Record or compare. Returns the exit status: 1 where a fingerprint differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["record", "compare"])
    parser.add_argument("file", type=Path, help="JSON file of fingerprints")
    parser.add_argument("--bake", metavar="MODULE", help="also run this recipe of the bundled head")
    arguments = parser.parse_args()
    results = fingerprint(arguments.bake)
    if arguments.action == "record":
        arguments.file.parent.mkdir(parents=True, exist_ok=True)
        arguments.file.write_text(json.dumps(results, indent=1), encoding="utf-8")
        print(f"{len(results)} fingerprints recorded in {arguments.file}")
        return 0
    changes = list(differences(json.loads(arguments.file.read_text()), results))
    print("\n".join(changes) or f"all {len(results)} fingerprints are equal")
    return int(bool(changes))


if __name__ == "__main__":
    raise SystemExit(main())
