"""What the widgets of the Correlation tab call.

Like `edit_handlers`, the handlers keep no state of a request; they keep the running jobs and the networks
that compare a moment.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import gradio as gr

from asccl.analysis.clip_pairs import pair_clips, parse_clip_name
from asccl.analysis.correlation import AnalysisSettings, MomentAnalyzer, analyze, check_same_kind
from asccl.analysis.export import LabelledResults, frames_csv, similarity_csv
from asccl.errors import InputError, SettingError
from asccl.progress import Progress, overall_progress
from asccl.ui.charts import charts_value, emotion_charts_value, face_map_value
from asccl.ui.components import Value, comparison_value, note_line, progress_line, status_line
from asccl.ui.file_box import file_value
from asccl.ui.hub_weights import check_metric
from asccl.ui.job_runner import JobRunner
from asccl.ui.jobs import Job, JobProgress, JobWork
from asccl.ui.limits import check_media, check_upload
from asccl.ui.messages import error_message, format_media, format_seconds
from asccl.ui.places import Caller, Places
from asccl.video.limits import Limits
from asccl.video.reader import Reader, probe
from asccl.zoo import DEFAULT_METRIC

STAGE_SHARES = {"open": 0.02, "source": 0.22, "generated": 0.22, "pair": 0.02, "compare": 0.52}
STAGES = {
    "wait": "Waiting for other people's comparisons",
    "start": "Getting ready",
    "open": "Opening the files",
    "source": "Tracking the face in the source",
    "generated": "Tracking the face in the generated video",
    "pair": "Pairing the frames",
    "compare": "Comparing region by region",
    "done": "Drawing the charts",
}
MAX_CLIPS = 29  # a neutral clip and four of each of the seven emotions
NO_FILES = (None, None, None)  # report, table of similarities, table of frames
NO_RESULTS = (None, None, None, "auto", DEFAULT_METRIC)  # charts, face map, comparison of the crops, alignment, metric


@dataclass(frozen=True)
class ComparisonHandlers:
    """The handlers of the Correlation tab.

    Attributes:
        limits: of uploads.
        comparisons: runs the comparisons.
        inspections: places for looking into a file and for comparing one moment.
        downloads: places for weights from the Hub.
    """

    limits: Limits
    comparisons: JobRunner
    inspections: Places
    downloads: Places

    async def open_source(self, path: str | None, page: gr.Request) -> tuple[Value | None, str]:
        """Read the first frame of the source. Returns card, and a line with an error or nothing."""
        return await self._open(path, "source", page)

    async def open_generated(self, path: str | None, page: gr.Request) -> tuple[Value | None, str]:
        """Read the first frame of the generated video. Returns card, and a line with an error or nothing."""
        return await self._open(path, "generated", page)

    async def _open(self, path: str | None, kind: str, page: gr.Request) -> tuple[Value | None, str]:
        if not path:
            return None, ""

        def look() -> Value:
            info = probe(check_upload(path, f"{kind} file"), self.limits)
            check_media(info, self.limits)
            with Reader(info.path, self.limits) as reader:
                image = next(iter(reader)).image
            return file_value(image, info.path, format_media(info), playable=not info.is_still)

        try:
            return await self.inspections.run(Caller.of(page), look), ""
        except Exception as error:
            return None, note_line(error_message(error), failed=True)

    async def compare(
        self,
        source: str | None,
        generated: str | None,
        pairing: str,
        alignment: str,
        stride: float,
        metric: str,
        page: gr.Request,
    ) -> AsyncIterator[tuple[Any, ...]]:
        """Compare two files.

        Args:
            source: path of an upload.
            generated: path of an upload.
            pairing: auto, time (an edit), sound or mouth (another take).
            alignment: auto, place or landmarks.
            stride: every `stride`-th frame is compared; 0 chooses.
            metric: the bundled one, or "owner/name@commit:file" after it was loaded from the Hub.
            page: the page that asks; filled in by Gradio.

        Yields:
            Report, table of similarities, table of frames, status line, charts, face map, comparison of the two crops,
            alignment and metric that were used; while the comparison is running, only the status line changes.

        Raises:
            gr.Error: one line for programs; people read the same in the status line.
        """

        def prepare() -> JobWork:
            paths = check_upload(source, "source file"), check_upload(generated, "generated file")
            settings = AnalysisSettings(pairing, alignment, int(stride) or None, metric=check_metric(metric))
            infos = [probe(path, self.limits) for path in paths]
            for info in infos:
                check_media(info, self.limits)
            check_same_kind(*infos)
            return lambda _, progress: [("source – generated", analyze(*paths, settings, progress, self.limits))]

        def present(results: LabelledResults) -> tuple[Any, ...]:
            result = results[0][1]
            text = f"The two faces at {format_seconds(result.first.times[0])}"
            crops = comparison_value(*result.first.crops, text)
            used = result.settings.alignment, result.settings.metric
            return charts_value(result), face_map_value(result, is_summary=True), crops, *used

        async for outputs in self._run(prepare, present, page):
            yield outputs

    async def compare_emotions(
        self, files: list[str] | None, pairing: str, stride: float, metric: str, page: gr.Request
    ) -> AsyncIterator[tuple[Any, ...]]:
        """Compare all pairs of emotions among clips that are named by their emotion.

        Args:
            files: paths of the uploads.
            pairing: as in `compare`.
            stride: as in `compare`.
            metric: as in `compare`.
            page: the page that asks; filled in by Gradio.

        Yields:
            What `compare` yields, without face map and comparison of the crops.

        Raises:
            gr.Error: as in `compare`.
        """

        def prepare() -> JobWork:
            if not files or len(files) < 2:
                raise InputError("there are not enough clips yet", "choose two or more, named by emotion")
            if len(files) > MAX_CLIPS:
                raise SettingError(f"{len(files)} clips are too many at once", f"choose {MAX_CLIPS} at most")
            paths = [check_upload(path, "clip") for path in files]
            for path in paths:
                check_media(probe(path, self.limits), self.limits)
            pairs = pair_clips(map(parse_clip_name, paths))
            settings = AnalysisSettings(pairing, stride=int(stride) or None, metric=check_metric(metric))

            def work(_: Path, progress: Progress) -> LabelledResults:
                results = []
                for index, pair in enumerate(pairs):
                    part = _part_of(progress, index, len(pairs))
                    results.append((pair.label, analyze(pair.source, pair.generated, settings, part, self.limits)))
                return results

            return work

        def present(results: LabelledResults) -> tuple[Any, ...]:
            return emotion_charts_value(results), *NO_RESULTS[1:]

        async for outputs in self._run(prepare, present, page):
            yield outputs

    async def moment(
        self,
        source: str | None,
        generated: str | None,
        alignment: str,
        at: float,
        at_generated: float,
        metric: str,
        page: gr.Request,
    ) -> tuple[Any, Any, str]:
        """Compare one pair of frames.

        Args:
            source: path of an upload.
            generated: path of an upload.
            alignment: place or landmarks.
            at: seconds in the source.
            at_generated: seconds in the generated video.
            metric: as in `compare`.
            page: the page that asks; filled in by Gradio.

        Returns:
            Face map, comparison of the two crops, and a line with an error or nothing.
        """

        def look() -> tuple[Any, Any, str]:
            paths = check_upload(source, "source file"), check_upload(generated, "generated file")
            settings = AnalysisSettings(alignment=alignment, metric=check_metric(metric))
            result = self._moments.analyze(*paths, (float(at), float(at_generated)), settings)
            crops = comparison_value(*result.first.crops, f"The two faces at {format_seconds(at)}")
            return face_map_value(result, is_summary=False), crops, ""

        try:
            return await self.inspections.run(Caller.of(page), look)
        except Exception as error:
            return gr.skip(), gr.skip(), note_line(error_message(error), failed=True)

    def stop_jobs(self, page: gr.Request) -> None:
        """Stop the comparisons of a closed page."""
        self.comparisons.stop(page.session_hash)

    @cached_property
    def _moments(self) -> MomentAnalyzer:
        """Keeps the networks for all pages."""
        return MomentAnalyzer(self.limits)

    async def _run(
        self, prepare: Callable[[], JobWork], present: Callable[[LabelledResults], tuple[Any, ...]], page: gr.Request
    ) -> AsyncIterator[tuple[Any, ...]]:
        """Run what `prepare` returns as a job; yield its progress, then the files and what `present` returns."""

        def show(progress: JobProgress) -> tuple[Any, ...]:
            line = progress_line(progress, STAGES)
            if progress.stage in ("wait", "start"):
                return *NO_FILES, line, *NO_RESULTS
            return *[gr.skip()] * 3, line, *[gr.skip()] * len(NO_RESULTS)

        def finish(job: Job) -> tuple[Any, ...]:
            done = status_line("done", "Done. The charts are beside this, or below on a phone.")
            return *_write_files(job.folder, job.result), done, *present(job.result)

        try:
            async for outputs in self.comparisons.run(Caller.of(page), prepare, show, finish):
                yield outputs
        except Exception as error:
            text = error_message(error)
            yield *NO_FILES, status_line("failed", text), *NO_RESULTS
            raise gr.Error(text, visible=False, print_exception=False) from None


def _part_of(progress: Progress, index: int, count: int) -> Progress:
    """The progress of one of several comparisons, reported as that of all of them together."""
    starts = {stage: overall_progress(stage, 0.0, STAGE_SHARES) for stage in STAGE_SHARES}

    def report(stage: str, done: float) -> None:
        if stage in STAGE_SHARES:
            overall = (index + overall_progress(stage, done, STAGE_SHARES)) / count
            overall_stage = [name for name, start in starts.items() if start <= overall][-1]
            progress(overall_stage, (overall - starts[overall_stage]) / STAGE_SHARES[overall_stage])

    return Progress(report)


def _write_files(folder: Path, results: LabelledResults) -> tuple[str, str, str]:
    """Write the report, the table of similarities and the table of frames. Returns their paths."""
    reports = [{"pair": label, **result.report()} for label, result in results]
    texts = {
        "correlation.json": json.dumps(reports[0] if len(reports) == 1 else reports, indent=1, allow_nan=False),
        "similarity.csv": similarity_csv(results),
        "frames.csv": frames_csv(results),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    report, similarities, frames = (str(folder / name) for name in texts)
    return report, similarities, frames
