"""Measure the loss and the trainings on a GPU, in at most eight minutes.

    python -m benchmarks.gpu --prepare        # once, on a machine with requirements.txt: build/gpu-inputs, below 2 MB
    python -m benchmarks gpu                  # on the machine with the card

The second command needs PyTorch, Accelerate, OpenCV, SciPy and safetensors; not MediaPipe, PyAV, Gradio or a network.
It runs the tests that are marked `gpu`, then the sections of `benchmarks/gpu_sections.py`, each in a process of its
own, so that a section that fails costs only its own rows. It writes gpu.json, gpu.md and sample pictures into
build/gpu. Without prepared inputs it trains on a synthetic speaker.

--tiny runs the smallest sizes, also on a CPU: it proves the program, and its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.report import describe_machine

ROOT = Path(__file__).parent.parent
INPUTS, OUTPUT = ROOT / "build/gpu-inputs", ROOT / "build/gpu"
PICTURE_SIDE = 256  # pixels, of the prepared clip
SECTIONS = ("tests", "loss", "renderer-inference", "metric", "renderer-training", "icface")
MIN_SECTION_SECONDS = 20.0
SHARES = {"renderer-training": 0.45}  # of the seconds that are left, for a section that uses as many as it gets
Rows = dict[str, float | str]


def prepare_inputs(folder: Path) -> None:
    """Prepare the bundled example clip for the renderer's training.

    Args:
        folder: of the prepared clip.
    """
    from training.preprocess.run import PrepareSettings
    from training.preprocess.run import main as prepare

    status = prepare(PrepareSettings((ROOT / "examples/rendered.mp4",), folder, PICTURE_SIDE))
    if status:
        raise SystemExit(status)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e6:.1f} MB")


def run_section(name: str, seconds: float, options: argparse.Namespace) -> Rows:
    """Run a section in a process of its own.

    Args:
        name: one of `SECTIONS`.
        seconds: after which it is ended.
        options: of the command line.

    Returns:
        Its rows; one row with the last line of its errors if it fails.
    """
    if name == "tests":
        command = [sys.executable, "-m", "pytest", "-m", "gpu", "--confcutdir=tests/gpu", "tests/gpu"]
    else:
        command = [sys.executable, "-m", "benchmarks.gpu_sections", name, f"--seconds={seconds:.0f}"]
        command += [f"--device={options.device}", f"--inputs={options.inputs}", f"--output={options.output}"]
        command += ["--tiny"] * options.tiny
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {f"{name}: failed": f"not finished within {seconds:.0f} s"}
    lines = done.stdout.strip().splitlines()
    if done.returncode:
        errors = [line for line in (done.stderr.strip() or done.stdout.strip()).splitlines() if line.strip()]
        (options.output / f"{name}.log").write_text(done.stdout + done.stderr, encoding="utf-8")
        return {f"{name}: failed": errors[-1] if errors else f"exit status {done.returncode}"}
    return {"tests": lines[-1]} if name == "tests" else json.loads(lines[-1])


def format_table(rows: Mapping[str, float | str]) -> str:
    """Format rows as a Markdown table."""
    cells = {name: value if isinstance(value, str) else f"{value:,.4g}" for name, value in rows.items()}
    return "\n".join(
        ["| measurement | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in cells.items())]
    )


def main() -> int:
    """Run all sections, or prepare their inputs. Returns 1 if a section fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepare", action="store_true", help="write the inputs and end")
    parser.add_argument(
        "--sections", nargs="+", choices=SECTIONS, default=SECTIONS, metavar="NAME", help="default: all"
    )
    parser.add_argument("--seconds", type=float, default=450, help="for all sections")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--inputs", type=Path, default=INPUTS)
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    parser.add_argument("--tiny", action="store_true", help="smallest sizes")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file as well")
    options = parser.parse_args()
    if options.prepare:
        prepare_inputs(options.inputs)
        return 0
    import torch

    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print("PyTorch finds no CUDA device here; --device cpu --tiny proves the program", file=sys.stderr)
        return 0
    options.output.mkdir(parents=True, exist_ok=True)
    card = torch.cuda.get_device_name() if options.device.startswith("cuda") else describe_machine()
    rows: Rows = {"device": card, "PyTorch": torch.__version__}
    end = time.monotonic() + options.seconds
    for name in options.sections:
        left = end - time.monotonic()
        section_rows = run_section(name, max(MIN_SECTION_SECONDS, left * SHARES.get(name, 1)), options)
        print(format_table(section_rows), flush=True)
        rows |= section_rows
    (options.output / "gpu.md").write_text(format_table(rows) + "\n", encoding="utf-8")
    line = json.dumps({"benchmark": "gpu", **rows})
    for file in filter(None, (options.output / "gpu.json", options.json)):
        with file.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
    print(line)
    return int(any(name.endswith(": failed") for name in rows))


if __name__ == "__main__":
    raise SystemExit(main())
