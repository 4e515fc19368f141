"""What happens behind the Correlation tab. Pure, like `handlers`; kept are only who runs what, and the face finder."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from asccl.analysis.clip_pairs import pair_clips, parse_clip_name
from asccl.analysis.correlation import AnalysisSettings, CorrelationResult, analyze, analyze_moment, check_same_kind
from asccl.analysis.export import frames_csv, similarity_csv
from asccl.errors import InputError, SettingError
from asccl.face.landmarker import FaceLandmarker
from asccl.types import Progress
from asccl.ui import report as words
from asccl.ui.charts import drawn, drawn_emotions, mapped
from asccl.ui.components import Value, facts, pair
from asccl.ui.limits import check, check_upload, clock
from asccl.ui.run import Job, JobRegistry
from asccl.ui.values import describe, note, sentence
from asccl.video.limits import Limits
from asccl.video.reader import Reader, probe

STAGES = {"open": 0.02, "source": 0.22, "generated": 0.22, "pair": 0.02, "compare": 0.52}
STAGE_WORDS = {
    "start": "Getting ready", "open": "Opening the files", "source": "Following the face in the source",
    "generated": "Following the face in the generated video", "pair": "Finding the frames that belong together",
    "compare": "Comparing region by region", "done": "Drawing the charts",
}  # fmt: skip
POLL = 0.4  # seconds between two looks at a running comparison
MOST_FILES = 29  # a neutral clip and four of each emotion
EMPTY = (None, None, None)  # report, similarity table, table of frames


@dataclass(frozen=True)
class ComparisonHandlers:
    limits: Limits
    folder: Path | None = None  # where runs put their temporary folders
    runs: JobRegistry = field(default_factory=JobRegistry)
    looking: threading.Lock = field(default_factory=threading.Lock)
    finder: list[FaceLandmarker] = field(default_factory=list)  # made when first needed; guarded by the lock

    def open(self, path: str | None, what: str) -> tuple[Value | None, str]:
        """A look at an upload: its card, and a line that is empty when all is well."""
        if not path:
            return None, ""
        try:
            info = probe(check_upload(path, f"{what} file"), self.limits)
            check(info, self.limits)
            with Reader(info.path, self.limits) as reader:
                image = next(iter(reader)).image
        except Exception as error:
            return None, note(sentence(error), failed=True)
        return facts(image, info.path.name, describe(info)), ""

    def compare(
        self, source: str | None, generated: str | None, pairing: str, alignment: str, stride: float, page: gr.Request
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        """Compares two files: report, two tables, status, charts, face, alignment preview, how frames were aligned.

        pairing: auto, time (an edit), sound or mouth (another take). alignment: auto, place, landmarks. stride: compare
        each such frame, 0 chooses. Raises gr.Error with one clear line.
        """

        def begin() -> Callable[[Path, Progress], Any]:
            paths = check_upload(source, "source file"), check_upload(generated, "generated file")
            settings = AnalysisSettings(pairing, alignment, int(stride) or None)
            infos = [probe(path, self.limits) for path in paths]
            for info in infos:
                check(info, self.limits)
            check_same_kind(*infos)
            return lambda _, progress: [("source – generated", analyze(*paths, settings, progress, self.limits))]

        def show(found: list[tuple[str, CorrelationResult]]) -> tuple[Any, ...]:
            each = found[0][1]
            seen = pair(*each.first.crops, f"The two faces at {clock(each.first.times[0])}")
            return drawn(each), mapped(each, whole=True), seen, each.settings.alignment

        yield from self._watched(begin, show, page)

    def emotions(self, files: list[str] | None, pairing: str, stride: float, page: gr.Request) \
            -> Iterator[tuple[Any, ...]]:  # fmt: skip
        """Compares all pairs of emotions that the names of the files tell; returns what `compare` does."""

        def begin() -> Callable[[Path, Progress], Any]:
            if not files or len(files) < 2:
                raise InputError("there are not enough clips yet", "choose two or more, named by emotion")
            if len(files) > MOST_FILES:
                raise SettingError(f"{len(files)} clips are too many at once", f"choose {MOST_FILES} at most")
            paths = [check_upload(path, "clip") for path in files]
            for path in paths:
                check(probe(path, self.limits), self.limits)
            pairs = pair_clips(map(parse_clip_name, paths))
            settings = AnalysisSettings(pairing, stride=int(stride) or None)

            def work(_: Path, progress: Progress) -> Any:
                out = []
                for number, each in enumerate(pairs):
                    told = _part(progress, number, len(pairs))
                    out.append((each.label, analyze(each.source, each.generated, settings, told, self.limits)))
                return out

            return work

        yield from self._watched(begin, lambda found: (drawn_emotions(found), None, None, "auto"), page)

    def moment(self, source: str | None, generated: str | None, alignment: str, at: float, at_generated: float) \
            -> tuple[Any, Any, str]:  # fmt: skip
        """One moment: face, alignment preview, a line. at, at_generated: seconds in the two videos."""
        try:
            paths = check_upload(source, "source file"), check_upload(generated, "generated file")
            settings = AnalysisSettings(alignment=alignment)
            with self.looking:
                if not self.finder:
                    self.finder.append(FaceLandmarker())
                found = analyze_moment(*paths, (float(at), float(at_generated)), settings, self.finder[0], self.limits)
        except Exception as error:
            return gr.skip(), gr.skip(), note(sentence(error), failed=True)
        return mapped(found, whole=False), pair(*found.first.crops, f"The two faces at {clock(at)}"), ""

    def leave(self, page: gr.Request) -> None:
        """A closed page stops its comparison."""
        self.runs.stop(page.session_hash or "")

    def _watched(
        self, begin: Callable[[], Callable], show: Callable[[Any], tuple[Any, ...]], page: gr.Request
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        """Runs the work that `begin` gives in its own thread and yields where it stands, then what it found."""
        run, blank = None, (None, None, None, "auto")
        try:
            yield *EMPTY, words.status("busy", STAGE_WORDS["start"], 0.0), *blank
            run = Job(begin(), self.folder, STAGES)
            self.runs.add(page.session_hash or "", run)
            while not run.wait(POLL):
                at = run.standing()
                line = words.status("busy", STAGE_WORDS.get(at.stage, at.stage), at.done, at.remaining)
                yield *[gr.skip()] * 3, line, *[gr.skip()] * 4
            if run.error is not None:
                raise run.error
            done = words.status("done", "Done. The charts are beside this, or below on a phone.")
            yield *_written(run.folder, run.result), done, *show(run.result)
        except Exception as error:
            text = sentence(error)
            yield *EMPTY, words.status("failed", text), *blank
            raise gr.Error(text, visible=False, print_exception=False) from None  # the status line shows it
        finally:
            if run is not None:
                self.runs.remove(page.session_hash or "", run)


def _part(progress: Progress, number: int, count: int) -> Progress:
    """One of several comparisons: all of them together are told as one."""
    share = {name: sum(list(STAGES.values())[:i]) for i, name in enumerate(STAGES)}

    def told(stage: str, done: float) -> None:
        if stage in STAGES:
            whole = (number + share[stage] + STAGES[stage] * done) / count
            last = [name for name in STAGES if share[name] <= whole][-1]
            progress(last, (whole - share[last]) / STAGES[last])

    return Progress(told)


def _written(folder: Path, found: Sequence[tuple[str, CorrelationResult]]) -> tuple[str, str, str]:
    reports = [{"pair": name, **each.report()} for name, each in found]
    texts = {
        "correlation.json": json.dumps(reports[0] if len(reports) == 1 else reports, indent=1, allow_nan=False),
        "similarity.csv": similarity_csv(found),
        "frames.csv": frames_csv(found),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    report, similarity, frames = (str(folder / name) for name in texts)
    return report, similarity, frames
