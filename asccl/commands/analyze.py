"""`python -m asccl analyze`: compares pairs of files, says how alike they are, writes reports and charts."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asccl.commands import edit
from asccl.errors import Cancelled, SettingError
from asccl.types import Progress

if TYPE_CHECKING:
    from asccl.analysis.clip_pairs import EmotionPair
    from asccl.analysis.correlation import Settings
    from asccl.analysis.result import Correlation

# Where each stage begins on the bar and how much of it it takes.
STAGES = {"open": (0.0, 0.0), "source": (0.0, 0.25), "generated": (0.25, 0.25), "pair": (0.5, 0.0),
          "compare": (0.5, 0.5), "done": (1.0, 0.0)}  # fmt: skip
ABOUT = """\
Measure whether a generated video keeps what its source says: average similarity (cosine along the channels) and
Pearson coefficient of the visual disparities of corresponding and of non-corresponding face regions, eq. 1 of the
paper, on four feature maps, with and without the learned mapping. SOURCE and GENERATED are two videos or two stills.
With a folder alone, its clips are paired by the emotions in their names: the paper's Figures 2 and 6.
"""
EXAMPLES = """\
examples:
  python -m asccl analyze talk.mp4 talk-happy.mp4                  # an edit of talk.mp4, frame by frame
  python -m asccl analyze neutral.mp4 happy.mp4 --pair sound       # two takes, paired by what is heard
  python -m asccl analyze talk.mp4 talk-happy.mp4 -o report.json --plots charts
  python -m asccl analyze clips                                    # clips/talk-neutral.mp4, clips/talk-happy.mp4, ...

exit status: 0 done, 2 bad arguments, 3 bad input, 1 anything else, 130 stopped with Ctrl-C.
"""


def add(commands: argparse._SubParsersAction) -> None:
    """The command's arguments."""
    analyze = commands.add_parser(
        "analyze",
        help="measure whether a generated video keeps what its source says",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    analyze.add_argument("source", metavar="SOURCE", help="video or still; or a folder of clips named by emotion")
    analyze.add_argument("generated", nargs="?", metavar="GENERATED", help="what was made of it, or another take")
    analyze.add_argument("-o", "--output", metavar="REPORT.json", help="write the report as JSON; - for stdout")
    analyze.add_argument(
        "--plots",
        metavar="DIR",
        help="write charts (HTML, PNG, SVG) and tables (CSV) into this folder",
    )
    analyze.add_argument("--metric", default="scc-mobilefacenet", metavar="NAME", help="weights; default: %(default)s")
    analyze.add_argument(
        "--pair", default="auto", metavar="HOW",
        help="time (an edit: the same moment), sound or mouth (another take: warped in time); default: auto, by length "
        "and place of the head",
    )  # fmt: skip
    analyze.add_argument(
        "--align", default="auto", metavar="HOW",
        help="place (cut both where the source's face is) or landmarks (turn the generated face into the source's pose "
        "first); default: auto",
    )  # fmt: skip
    analyze.add_argument("--stride", type=int, metavar="N", help="compare each N-th frame; default: about 300 of them")
    analyze.add_argument(
        "--offset", type=float, default=0.0, metavar="S", help="seconds by which GENERATED runs ahead; default 0"
    )
    analyze.add_argument("--face", type=int, metavar="N", help="which person of SOURCE; default: the largest")
    analyze.add_argument("--debug", action="store_true", help="show the traceback of an error")
    analyze.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare one pair or all pairs of a folder. Returns the highest exit status."""
    folder = Path(arguments.source)
    if arguments.generated is None and not folder.is_dir():
        raise SettingError("only one file is given", "give SOURCE and GENERATED, or one folder of clips")
    if arguments.plots is not None and Path(arguments.plots).exists() and not Path(arguments.plots).is_dir():
        raise SettingError(f"{arguments.plots} is a file", "give a folder after --plots")
    from asccl.analysis.clip_pairs import EmotionPair, pairs_in
    from asccl.analysis.correlation import Settings

    settings = Settings(
        pairing=arguments.pair, alignment=arguments.align, stride=arguments.stride, offset=arguments.offset,
        face=arguments.face, metric=arguments.metric,
    )  # fmt: skip
    several = arguments.generated is None
    pairs = pairs_in(folder) if several else [EmotionPair(folder, Path(arguments.generated), "source – generated")]
    written = Path(arguments.output) if arguments.output not in (None, "-") else None
    if written is not None and any(written.resolve() in (p.source.resolve(), p.generated.resolve()) for p in pairs):
        raise SettingError(f"{written.name} is read and cannot be the report as well", "choose another name")
    with edit.ReportWriter(arguments.output, several, say) as report, edit.InterruptHandler() as stop:
        status, found = 0, []
        for each in pairs:
            try:
                result = _compare(each, settings, stop)
            except Cancelled:
                return edit.print_cancelled(stop.signal)
            except Exception as error:
                failed = edit.print_error(error, arguments.debug)
                status = max(status, failed)
                report.failed(each.generated, error, failed)
            else:
                found.append((each.label, result))
                report.done(each.generated, {"pair": each.label, **result.report()})
        if arguments.plots is not None and found:
            _write_plots(found, Path(arguments.plots))
        return status


def _compare(pair: EmotionPair, settings: Settings, stop: edit.InterruptHandler) -> Correlation:
    from tqdm import tqdm

    from asccl.analysis.correlation import analyze

    shape = "{desc} {percentage:3.0f}% |{bar}| {elapsed} < {remaining}"
    with tqdm(total=1.0, disable=None, leave=False, bar_format=shape, dynamic_ncols=True) as bar:

        def show(stage: str, done: float) -> None:
            first, share = STAGES[stage]
            bar.set_description(f"{pair.generated.name}: {stage}", refresh=False)
            bar.update(first + share * done - bar.n)

        return analyze(pair.source, pair.generated, settings, Progress(show, stop.asked))


def _write_plots(found: list[tuple[str, Correlation]], folder: Path) -> None:
    """All files of the folder come at once, when they are whole."""
    from asccl.analysis.export import write_plots
    from asccl.files import AtomicFile

    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".plots-", dir=folder) as hidden:
            write_plots(found, Path(hidden))
            for path in sorted(Path(hidden).iterdir()):
                os.replace(path, folder / path.name)
    except OSError as error:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise AtomicFile.explain(folder, error) from error


def say(output: Path, report: dict[str, Any]) -> str:
    """A few lines for a terminal, one with tabs for a log."""
    rows = [(f"{head}, cosine", _words(told["overall"]["cosine"])) for head, told in report["similarity"].items()]
    rows += [(f"{head}, Pearson", _words(told["overall"]["pearson"])) for head, told in report["similarity"].items()]
    used, frames = report["settings"], report["frames"]
    how = "one still each" if frames["paired"] == 1 else f"{frames['compared']} frames, paired by {used['pairing']}"
    rows.append(("compared", f"{how}, aligned by {used['alignment']}"))
    if sys.stdout.isatty():
        return "\n".join([f"{output}  ({report['pair']})", *(f"  {label:18} {text}" for label, text in rows)])
    return "\t".join([str(output), report["pair"], *(f"{label} {text}" for label, text in rows)])


def _words(told: dict[str, Any]) -> str:
    same, other = told["corresponding"], told["non_corresponding"]
    return (
        f"corresponding {same['mean']:.3f} ± {same['deviation']:.3f}, "
        f"non-corresponding {other['mean']:.3f} ± {other['deviation']:.3f}"
    )
