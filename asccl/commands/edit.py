"""What the command line does with parsed arguments: edits file after file, shows how far it is, says how it went."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from asccl.errors import AscclError, Cancelled, OutputError, SettingError
from asccl.types import EditRequest, Progress

if TYPE_CHECKING:  # the pipeline takes a second to import: not before the arguments are known to be sound
    from asccl.editing.editor import Editor

# Where each stage begins on the bar and how much of it it takes, as on a long clip.
STAGES = {"open": (0.0, 0.0), "track": (0.0, 0.4), "fit": (0.4, 0.05), "render": (0.45, 0.55), "done": (1.0, 0.0)}
SPANS_SHOWN = 4


def edit(arguments: argparse.Namespace) -> int:
    """Edit all inputs, one after another. Returns the highest exit status."""
    requests = [_request(arguments, source) for source in arguments.inputs]
    several = len(requests) > 1
    with (
        _place(arguments.output, several) as (file, folder),
        ReportWriter(arguments.json, several) as report,
        InterruptHandler() as stop,
    ):
        from asccl.editing.editor import Editor

        editor, status = Editor(device=arguments.device), 0
        guard = _Guard(requests, report.path)
        for request in requests:
            try:
                named = replace(request, output=guard(request, file or _name(editor, request, folder)))
                result = _edit(editor, named, stop)
            except Cancelled:
                return print_cancelled(stop.signal)
            except Exception as error:
                failed = print_error(error, arguments.debug)
                status = max(status, failed)
                report.failed(request.source, error, failed)
            else:
                report.done(result.output, result.report)
        return status


def import_weights(arguments: argparse.Namespace) -> int:
    """Convert one checkpoint and say what was done to it. Returns the exit status."""
    from asccl.interop.kinds import import_weights

    output = Path(arguments.output)
    notes = import_weights(arguments.kind, Path(arguments.file), output)
    print("\n  ".join([str(output), *notes]))
    return 0


def print_error(error: Exception, debug: bool = False) -> int:
    """One line on stderr. Returns the exit status."""
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, AscclError):
        print(f"asccl: {error}", file=sys.stderr)
        return error.exit_status
    if isinstance(error, MemoryError):
        print("asccl: there is not enough memory: close other programs, or make the input smaller", file=sys.stderr)
        return 1
    what = " ".join(f"{type(error).__name__}: {error}".split())
    remedy = "please report it" if debug else "please report it with what `--debug` shows"
    print(f"asccl: this is a bug ({what}): {remedy}", file=sys.stderr)
    return 1


def print_cancelled(by: int = signal.SIGINT) -> int:
    """One line on stderr. Returns the exit status of a program that a signal ended."""
    print(f"asccl: {Cancelled()}", file=sys.stderr)
    return 128 + by


def _request(arguments: argparse.Namespace, source: str) -> EditRequest:
    return EditRequest(
        source=Path(source),
        emotion=arguments.emotion,
        reference=arguments.reference,
        intensity=arguments.intensity,
        start=arguments.start,
        end=arguments.end,
        face=arguments.face,
        generator=arguments.generator,
        renderer=arguments.renderer,
        seed=arguments.seed,
        badge=arguments.badge,
    )


@contextmanager
def _place(output: str | None, several: bool) -> Iterator[tuple[Path | None, Path | None]]:
    """The file or the folder that `-o` means. A folder is made, and removed again where nothing came into it."""
    if output is None:
        yield None, None
        return
    path = Path(output)
    if not (several or path.is_dir() or output.endswith(("/", os.sep))):
        yield path, None
        return
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise SettingError(f"{path.name} is a file", "give a folder after -o when there are several inputs") from None
    except OSError as error:
        raise OutputError(f"the folder {path} cannot be made ({error.strerror})", "choose another") from None
    try:
        yield None, path
    finally:
        for folder in made:
            with suppress(OSError):  # not empty
                folder.rmdir()


def _name(editor: Editor, request: EditRequest, folder: Path | None) -> Path:
    """talk.mp4 -> talk-happy.mp4, in the folder or beside the source."""
    from asccl.video import default_output

    beside = default_output(editor.probe(request.source), f"-{request.emotion or 'reference'}")
    return folder / beside.name if folder else beside


class _Guard:
    """Nothing that this call reads or has written is overwritten by it. Raises SettingError."""

    def __init__(self, requests: list[EditRequest], report: Path | None):
        read = {path.resolve() for request in requests for path in (request.source, request.reference) if path}
        if report is not None and report.resolve() in read:
            raise SettingError(f"{report.name} is read and cannot be the report as well", "choose another name")
        self._taken = read | ({report.resolve()} if report else set())

    def __call__(self, request: EditRequest, output: Path) -> Path:
        place = output.resolve()
        if place in self._taken and place != request.source.resolve():  # its own source: the pipeline says it
            raise SettingError(
                f"{request.source.name} would be written over {output.name}, which this call reads or writes as well",
                "choose another name or folder",
            )
        self._taken.add(place)
        return output


def _edit(editor: Editor, request: EditRequest, stop: InterruptHandler) -> Any:
    from tqdm import tqdm

    shape = "{desc} {percentage:3.0f}% |{bar}| {elapsed} < {remaining}"
    with tqdm(total=1.0, disable=None, leave=False, bar_format=shape, dynamic_ncols=True) as bar:  # None: no terminal
        entered: set[str] = set()

        def show(stage: str, done: float) -> None:
            first, share = STAGES[stage]
            bar.set_description(f"{request.source.name}: {stage}", refresh=False)
            bar.update(first + share * done - bar.n)
            if stage not in entered:  # every stage is seen, however short
                entered.add(stage)
                bar.refresh()

        return editor.edit(request, Progress(show, stop.asked))


class InterruptHandler:
    """The first Ctrl-C or `kill` ends the edit at its next frame, so that it can clean up; a second one at once."""

    signal = 0

    def __enter__(self) -> InterruptHandler:
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        return self.signal != 0

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number


class ReportWriter:
    """The read-outs of a call: to people line by line, to programs as one JSON file that appears whole or not at all.

    say: a read-out for people; by default that of an edit. Raises OutputError, at the start where the file cannot be
    made.
    """

    def __init__(self, path: str | None, several: bool, say: Callable[[Path, dict[str, Any]], str] | None = None):
        self._say = say or format_report
        self.path = Path(path) if path not in (None, "-") else None
        self._to_stdout, self._several = path == "-", several
        self._entries: list[dict[str, Any]] = []

    def __enter__(self) -> ReportWriter:
        self._target = None
        if self.path is not None:
            from asccl.files import AtomicFile

            self._target = AtomicFile(self.path)
        return self

    def done(self, output: Path, report: dict[str, Any]) -> None:
        self._entries.append({"output": str(output), **report})
        if not self._to_stdout:
            print(self._say(output, report), flush=True)

    def failed(self, source: Path, error: Exception, status: int) -> None:
        if self._several:
            self._entries.append({"source": str(source), "error": str(error), "status": status})

    def __exit__(self, *exception: object) -> None:
        whole = self._entries if self._several else next(iter(self._entries), None)
        text = json.dumps(whole, indent=2, allow_nan=False) + "\n"
        if self._target is not None:
            with self._target.kept(bool(whole)):
                self._target.part.write_text(text, encoding="utf-8")
        elif self._to_stdout and whole:
            sys.stdout.write(text)


def format_report(output: Path, report: dict[str, Any]) -> str:
    """An edit's read-out: a table for a terminal, a line for a log."""
    return format_table(output, report) if sys.stdout.isatty() else format_line(output, report)


def summarize_report(report: dict[str, Any]) -> dict[str, str]:
    """The key numbers of a report in words; what was not measured is left out."""
    frames, speech, emotion = report["frames"], report["speech"], report["emotion"]
    said = {"edited": f"{frames['edited']} of {frames['total']} frames"}
    if lost := frames["unreadable"]:
        said["missing"] = f"{lost} frames that could not be read: the file is damaged or cut off"
    parts = [
        _words("lip opening r {:.2f}", speech["lip_gap_correlation"]),
        _words("lips moved {:.1f} % of the eye distance", speech["lip_distance_percent"]),
        _words("closures kept {:.0%}", speech["closures_kept"]),
    ]
    said["speech"] = ", ".join(filter(None, parts))
    said["identity"] = _words("{:.2f}", report["identity"]["similarity"])
    if emotion["after"] is not None:
        said[emotion["target"]] = f"{emotion['before']:.2f} -> {emotion['after']:.2f}"
    said["renderer"] = describe_renderer(report.get("renderer"))
    said["time"] = f"{report['seconds']['total']:.1f} s"
    return {label: text for label, text in said.items() if text}


def describe_renderer(renderer: dict[str, Any] | None) -> str:
    """Which renderer served, in words; empty where there is no choice."""
    if renderer is None or renderer["name"] == "warp":
        return f"warp, for {renderer['why']}" if renderer and renderer["sought"] else ""
    return f"{renderer['file']}, likeness {renderer['similarity']:.2f}"


def format_line(output: Path, report: dict[str, Any]) -> str:
    """One line for a log: the path, then the readings, with tabs between."""
    return "\t".join([str(output), *(f"{label} {text}" for label, text in summarize_report(report).items())])


def format_table(output: Path, report: dict[str, Any]) -> str:
    """A few lines for a terminal, with the spans that were passed through."""
    rows = list(summarize_report(report).items())
    spans = report["frames"]["spans"]
    for span in spans[:SPANS_SHOWN]:
        rows.append(("unchanged", f"{span['start']:.2f} to {span['end']:.2f} s, face {span['reason']}"))
    if len(spans) > SPANS_SHOWN:
        rows.append(("", f"and {len(spans) - SPANS_SHOWN} more spans"))
    return "\n".join([str(output), *(f"  {label:10} {text}" for label, text in rows)])


def _words(shape: str, value: float | None) -> str:
    return "" if value is None else shape.format(value)
