"""Damage small valid files at random, then read, sample and copy them: no traceback, no hang, no leftovers.

`python -m benchmarks.fuzz_readers --mutants 20000` runs for hours; the tests run the first mutants of seed 0.
"""

from __future__ import annotations

import argparse
import json
import queue
import resource
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from asccl.errors import AscclError
from asccl.video import Limits, Reader, open_writer, probe, read_frame_at, read_tags, sample_frames
from benchmarks.mutants import KINDS, damage, write_sample
from benchmarks.report import print_rows

HANG_SECONDS = 120.0  # without an answer about one file of 64 x 48 pixels, also on a busy machine
MAX_MEMORY = 8 * 2**30  # bytes of address space of a worker
LIMITS = Limits(max_pixels=2**20, max_still_pixels=2**20, max_seconds=60.0, max_frames=1000)


@dataclass(frozen=True)
class Finding:
    """A file that was not handled as it should be.

    Attributes:
        kind: ending of the file.
        number: of the mutant; with the seed it gives the file again.
        problem: what happened.
    """

    kind: str
    number: int
    problem: str


def fuzz(mutants: int, seed: int = 0) -> tuple[dict[str, Counter[str]], list[Finding]]:
    """Handle damaged files in a process of its own, which is started anew after a crash or a hang.

    Args:
        mutants: number of damaged files of each kind.
        seed: of the damage.

    Returns:
        How often each outcome ("read", "refused", "finding") occurred, by kind; and the findings.
    """
    outcomes: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    findings: list[Finding] = []
    tasks = [(kind, number) for kind in KINDS for number in range(mutants)]
    while tasks:
        done = 0
        for outcome, problem in _run_worker(tasks, seed):
            kind, number = tasks[done]
            done += 1
            outcomes[kind][outcome] += 1
            if outcome == "finding":
                findings.append(Finding(kind, number, problem))
        tasks = tasks[done:]
    return outcomes, findings


def _run_worker(tasks: list[tuple[str, int]], seed: int) -> Iterator[tuple[str, str]]:
    """Yield outcome and problem of the tasks in order; a crash or a hang ends with a finding."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.fuzz_readers", "--worker", "--seed", str(seed)]
    root = Path(__file__).parents[1]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(tasks))
        process.stdin.close()
        answers: queue.Queue[str | None] = queue.Queue()
        lines = process.stdout

        def read_answers() -> None:
            for line in lines:
                answers.put(line)
            answers.put(None)

        threading.Thread(target=read_answers, daemon=True).start()
        for _ in tasks:
            try:
                answer = answers.get(timeout=HANG_SECONDS)
            except queue.Empty:
                process.kill()
                yield "finding", f"no answer in {HANG_SECONDS:g} seconds"
                return
            if answer is None:
                errors.seek(0)
                yield "finding", f"the process ended: {errors.read()[-300:]!r}"
                return
            yield tuple(json.loads(answer))


def work(tasks: list[tuple[str, int]], seed: int) -> None:
    """Handle files and print outcome and problem of each as a line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    with tempfile.TemporaryDirectory(prefix="asccl-fuzz-") as name:
        folder = Path(name)
        samples = {kind: write_sample(kind, folder).read_bytes() for kind in {kind for kind, _ in tasks}}
        for kind, number in tasks:
            case = folder / "case"
            case.mkdir()
            path = case / f"damaged.{kind}"
            path.write_bytes(damage(samples[kind], f"{seed} {kind} {number}"))
            print(json.dumps(_handle(path)), flush=True)
            for file in case.iterdir():
                file.unlink()
            case.rmdir()


def _handle(path: Path) -> tuple[str, str]:
    output = path.with_name("copy.png")
    try:
        info = probe(path, LIMITS)
        output = path.with_name("copy.png" if info.is_still else "copy.mp4")
        sample_frames(path, 3, LIMITS)
        read_frame_at(path, 0.2, LIMITS)
        read_tags(path)
        with Reader(path, LIMITS) as reader, open_writer(output, reader.info, path, {"comment": "copied"}) as writer:
            for frame in reader:
                writer.write(frame)
        outcome, expected = "read", {path, output}
    except AscclError as error:
        outcome, expected = "refused", {path}
        if "\n" in str(error) or path.name not in str(error) or error.exit_status != 3:
            return "finding", f"the message is {error!s:.300}"
    except Exception as error:
        return "finding", f"{type(error).__name__}: {error!s:.300}"
    files = set(path.parent.iterdir())
    if files != expected:
        return "finding", f"left behind: {sorted(file.name for file in files ^ expected)}"
    return outcome, ""


def main() -> None:
    """Print the outcomes by kind, the findings, and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=100, metavar="N", help="of each kind; default 100")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file as well")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work([(kind, number) for kind, number in json.load(sys.stdin)], arguments.seed)
        return
    outcomes, findings = fuzz(arguments.mutants, arguments.seed)
    print_table(outcomes, findings)
    rows = {"seed": arguments.seed, "files": arguments.mutants * len(KINDS), "kinds": len(KINDS)}
    print_rows("fuzz_readers", rows | {"findings": len(findings)}, arguments.json)


def print_table(outcomes: dict[str, Counter[str]], findings: list[Finding]) -> None:
    """Print a row for each kind, and each finding."""
    print(f"{'kind':6}{'read':>8}{'refused':>10}{'findings':>10}")
    for kind, counts in outcomes.items():
        print(f"{kind:6}{counts['read']:8}{counts['refused']:10}{counts['finding']:10}")
    for finding in findings:
        print(f"{finding.kind} {finding.number}: {finding.problem}")


if __name__ == "__main__":
    main()
