"""What all commands share: the parser, the progress bar, signals, messages, exit status and JSON reports."""

from __future__ import annotations

import argparse
import errno
import json
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from asccl.errors import AscclError, CancelledError
from asccl.files import discard_unfinished, explain_write_error
from asccl.progress import Progress, overall_progress

EXIT_STATUS = """\
exit status:
  0    done
  2    bad arguments
  3    bad input: no face, unreadable or too large
  1    any other failure, for instance a full disk
  130  stopped with Ctrl-C (143: by `kill`, 129: by closing the terminal)
  With several inputs, a bad one is reported and the others are processed; the highest status counts.
"""
STOP_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]  # Windows has no SIGHUP
OPTION_LIKE_ID = re.compile(r"-[A-Za-z0-9_][A-Za-z0-9_-]{9,20}")  # of a study or participant of version 0.1 or older
BAR_FORMAT = "{desc} {percentage:3.0f}% |{bar}| {elapsed} < {remaining}"


class Parser(argparse.ArgumentParser):
    """A parser that keeps the line breaks of its texts and reports a bad argument in one line."""

    def __init__(self, **options: Any):
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        options.setdefault("allow_abbrev", False)
        super().__init__(**options)
        self._arguments: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does, and remember the arguments for `error`."""
        self._arguments = sys.argv[1:] if args is None else args
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Print the message and a remedy to stderr, and exit with status 2."""
        remedy = f"see `{self.prog} --help`"
        for argument in self._arguments:
            if argument.startswith("-") and os.path.isfile(argument):
                remedy = f"write ./{argument} for the file {argument}"
            elif OPTION_LIKE_ID.fullmatch(argument):
                option = re.match(r"argument (--[a-z-]+): expected", message)
                remedy = f"write {option[1]}={argument}" if option else f"write -- {argument} for the ID {argument}"
        print(f"asccl: {message}: {remedy}", file=sys.stderr)
        raise SystemExit(2)


def print_error(error: Exception, debug: bool = False) -> int:
    """Print one line about an error to stderr, after its traceback if `debug`. Returns the exit status."""
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        error = explain_write_error(Path(error.filename or ""), error)
    if isinstance(error, AscclError):
        print(f"asccl: {error}", file=sys.stderr)
        return error.exit_status
    if isinstance(error, MemoryError):
        print("asccl: there is not enough memory: close other programs, or make the input smaller", file=sys.stderr)
        return 1
    problem = " ".join(f"{type(error).__name__}: {error}".split())
    remedy = "please report it" if debug else "please report it with the output of `--debug`"
    print(f"asccl: this is a bug ({problem}): {remedy}", file=sys.stderr)
    return 1


def print_cancelled(signal_number: int = signal.SIGINT) -> int:
    """Print one line to stderr. Returns the exit status of a program that this signal ended."""
    print(f"asccl: {CancelledError()}", file=sys.stderr)
    return 128 + signal_number


class InterruptHandler:
    """A context that turns the first Ctrl-C, `kill` or hang-up into a request to stop; a second one ends the process.

    The work asks `interrupted()` at each frame, so that it can clean up before it stops. A second signal removes the
    unfinished files and ends the process at once. Signals that are ignored, for instance by `nohup`, stay so.

    Attributes:
        signal_number: the signal that was received, 0 before.
    """

    signal_number = 0

    def __enter__(self) -> InterruptHandler:
        self._previous = {
            number: signal.signal(number, self._handle)
            for number in STOP_SIGNALS
            if signal.getsignal(number) is not signal.SIG_IGN
        }
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def interrupted(self) -> bool:
        """Whether a signal was received."""
        return self.signal_number != 0

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.signal_number:
            discard_unfinished()
            with suppress(OSError):
                os.write(2, f"asccl: {CancelledError()}\n".encode())  # a stream may be in the middle of a line
            os._exit(128 + number)  # an exception would surface in whatever code is running
        self.signal_number = number


@contextmanager
def progress_bar(label: str, stage_shares: Mapping[str, float], interrupts: InterruptHandler) -> Iterator[Progress]:
    """Show a progress bar while the block runs, if stderr is a terminal.

    Args:
        label: what is processed, for instance the name of a file.
        stage_shares: the stages in their order, each with its share of the whole work.
        interrupts: an interrupt makes the progress raise CancelledError.

    Yields:
        The progress to hand to the work.
    """
    from tqdm import tqdm

    with tqdm(total=1.0, disable=None, leave=False, bar_format=BAR_FORMAT, dynamic_ncols=True) as bar:
        displayed_stages: set[str] = set()

        def report(stage: str, done: float) -> None:
            bar.set_description(f"{label}: {stage}", refresh=False)
            bar.update(max(0.0, overall_progress(stage, done, stage_shares) - bar.n))
            if stage not in displayed_stages:  # tqdm limits its refresh rate, but every stage is displayed
                displayed_stages.add(stage)
                bar.refresh()

        yield Progress(report, interrupts.interrupted)


class ReportWriter:
    """A context that prints each report for people and collects all of them in one JSON file.

    The file appears complete or not at all. Entering raises OutputError where it cannot be created.

    Args:
        path: the JSON file, "-" for stdout, None for no JSON.
        is_list: whether the JSON is a list with an entry for each input, or one object.
        format_report: the text printed for an output file and its report.
    """

    def __init__(self, path: str | None, is_list: bool, format_report: Callable[[Path, dict[str, Any]], str]):
        self.path = Path(path) if path not in (None, "-") else None
        self._to_stdout, self._is_list = path == "-", is_list
        self._format_report = format_report
        self._entries: list[dict[str, Any]] = []

    def __enter__(self) -> ReportWriter:
        self._file = None
        if self.path is not None:
            from asccl.files import AtomicFile

            self._file = AtomicFile(self.path)
        return self

    def add_result(self, output: Path, report: dict[str, Any]) -> None:
        """Add the report of an output file, and print it unless stdout takes the JSON."""
        self._entries.append({"output": str(output), **report})
        if not self._to_stdout:
            print(self._format_report(output, report), flush=True)

    def add_error(self, source: Path, error: Exception, status: int) -> None:
        """Add an entry for an input that failed. Without a list, the JSON gets none.

        Args:
            source: the input.
            error: why it failed.
            status: the exit status of this error.
        """
        if self._is_list:
            self._entries.append({"source": str(source), "error": str(error), "status": status})

    def __exit__(self, *exception: object) -> None:
        content = self._entries if self._is_list else next(iter(self._entries), None)
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        if self._file is not None:
            if not content:
                self._file.discard()
                return
            with self._file as file:
                file.temporary_path.write_text(text, encoding="utf-8")
        elif self._to_stdout and content:
            sys.stdout.write(text)
