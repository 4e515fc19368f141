"""Edit several files with one setting: a job of its own for each, so that other visitors take turns with them."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import Any, cast

import gradio as gr

from asccl.editing.batch import edit_row, failed_row, table_csv
from asccl.errors import CancelledError, SettingError
from asccl.files import join_name
from asccl.progress import Progress
from asccl.types import GENERATORS, EditRequest, EditResult
from asccl.ui.components import status_line
from asccl.ui.edit_handlers import STAGES
from asccl.ui.edit_requests import FROM_REFERENCE, EditorProtocol
from asccl.ui.expression_values import expression_fields
from asccl.ui.hub_weights import generator_fields
from asccl.ui.job_runner import JobRunner
from asccl.ui.jobs import Job, JobProgress, JobWork
from asccl.ui.limits import check_media, check_upload
from asccl.ui.messages import error_message, still_suffix
from asccl.ui.places import Caller
from asccl.ui.setting_arguments import takes_settings
from asccl.video.limits import Limits

MAX_FILES = 20
TABLE_NAME = "table.csv"
ZIP_NAME = "edited.zip"
FACTS = ("file", "emotion before", "after", "lip movement kept", "identity kept", "remark")


@dataclass(frozen=True)
class BatchSettings:
    """What the Edit tab asks for, without what belongs to one file.

    Attributes:
        emotion: one of the emotions, or "reference" for the emotion of the reference alone.
        reference: path of the uploaded reference.
        intensity: 0 to 2.
        variant: number of the variant.
        generator: of the expression.
        adapt: whether to fit the expression to each face.
        expression: text of the mix and the groups.
        badge: whether to print a visible mark.
    """

    emotion: str
    reference: str | None
    intensity: float
    variant: float
    generator: str
    adapt: bool
    expression: str
    badge: bool

    @property
    def first_emotion(self) -> str | None:
        """One of the emotions; None for that of the reference."""
        return None if self.emotion == FROM_REFERENCE else self.emotion

    def request(self, source: Path) -> EditRequest:
        """The request for a file. Raises SettingError, UnreadableError."""
        return EditRequest(
            source=source,
            emotion=self.first_emotion,
            reference=check_upload(self.reference, "reference") if self.reference else None,
            intensity=float(self.intensity),
            seed=int(self.variant or 0),
            **generator_fields(self.generator or GENERATORS[0]),
            adapt=bool(self.adapt),
            badge=bool(self.badge),
            **expression_fields(self.expression, None, self.first_emotion),
        )

    def describe(self) -> str:
        """One sentence about the settings."""
        fields = expression_fields(self.expression, None, self.first_emotion)
        emotion = (self.first_emotion or "the expression of the chosen clip").capitalize()
        mix = f" with {fields['second_share']:.0%} {fields['second_emotion']}" if fields.get("second_emotion") else ""
        moved = [name.replace("_", " ") for name, k in fields["groups"].as_dict().items() if k] if fields else []
        parts = f", {', '.join(moved)} moved by hand" if moved else ""
        return f"{emotion}{mix}, intensity {self.intensity:g}{parts}"


@dataclass
class Batch:
    """The files of a batch and what became of them.

    Attributes:
        folder: temporary.
        rows: of the table.
        outputs: edited files and reports.
    """

    folder: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)

    def keep(self, source: str, result: EditResult) -> None:
        """Move the files of a finished edit into the folder of the batch. source: name of the source."""
        name = _unused_name(result.output, {path.name for path in self.outputs})
        output = self.folder / name
        shutil.move(result.output, output)
        report = output.with_name(f"{name}.json")
        report.write_text(json.dumps(result.report, indent=1), encoding="utf-8")
        self.outputs += [output, report]
        self.rows.append(edit_row(source, name, result.report))

    def write_zip(self) -> Path | None:
        """Write the zip of all files and the table; None where no file was edited."""
        if not self.outputs:
            return None
        path = self.folder / ZIP_NAME
        with zipfile.ZipFile(path, "w") as archive:  # the videos are compressed already
            for output in self.outputs:
                archive.write(output, output.name)
            archive.writestr(TABLE_NAME, table_csv(self.rows))
        return path


@dataclass(frozen=True)
class BatchHandlers:
    """The handlers of the tab of several files.

    Attributes:
        editor: does the edits.
        limits: of uploads.
        edits: runs the edits, those of the Edit tab as well.
        folder: where the temporary folders of batches lie; None takes the system's place.
    """

    editor: EditorProtocol
    limits: Limits
    edits: JobRunner
    folder: Path | None = None

    @takes_settings(BatchSettings)
    async def edit_all(
        self, settings: BatchSettings, files: list[str] | None, consent: bool, page: gr.Request
    ) -> AsyncIterator[tuple[Any, str, str]]:
        """Edit several files with one setting; a bad one gets a row in the table, and the others go on.

        Args:
            settings: of all edits.
            files: paths of the uploads.
            consent: whether the person confirmed that they may edit these faces.
            page: the page that asks; filled in by Gradio.

        Yields:
            Zip of the edited files, their reports and the table; table as HTML; status line.

        Raises:
            gr.Error: one line for programs; people read the same in the status line.
        """
        with tempfile.TemporaryDirectory(prefix="asccl-run-batch-", dir=self.folder) as folder:
            batch = Batch(Path(folder))
            try:
                names = self._check(files, settings, consent)
                for number, name in enumerate(names):
                    async with aclosing(self._edit_one(name, settings, batch, page)) as steps:
                        async for progress in steps:
                            yield None, table_html(batch.rows), _progress_line(progress, name, number, len(names))
                yield str(batch.write_zip() or "") or None, table_html(batch.rows), _summary(batch)
            except Exception as error:
                text = error_message(error)
                yield None, table_html(batch.rows), status_line("failed", text)
                raise gr.Error(text, visible=False, print_exception=False) from None

    async def _edit_one(
        self, name: str, settings: BatchSettings, batch: Batch, page: gr.Request
    ) -> AsyncGenerator[JobProgress, None]:
        """Edit one file and keep its result, or the line of its error."""

        def prepare() -> JobWork:
            request = settings.request(check_upload(name, "file"))
            return lambda folder, progress: self._edit(request, folder, progress)

        def present(job: Job) -> JobProgress:
            batch.keep(Path(name).name, job.result)
            return JobProgress("done", 1.0, None)

        try:
            job = self.edits.run(Caller.of(page), prepare, lambda progress: progress, present)
            async with aclosing(cast("AsyncGenerator[JobProgress, None]", job)) as steps:
                async for progress in steps:
                    yield progress
        except CancelledError:
            raise
        except Exception as error:
            batch.rows.append(failed_row(Path(name).name, error_message(error)))

    def _edit(self, request: EditRequest, folder: Path, progress: Progress) -> EditResult:
        info = self.editor.probe(request.source)
        check_media(info, self.limits)
        suffix = still_suffix(request.source) if info.is_still else ".mp4"
        output = folder / join_name(request.source.stem, f"-{request.emotion or 'reference'}{suffix}")
        return self.editor.edit(replace(request, output=output), progress)

    def _check(self, files: list[str] | None, settings: BatchSettings, consent: bool) -> list[str]:
        if not files:
            raise SettingError("there are no files yet", "choose some videos or photos")
        if len(files) > MAX_FILES:
            raise SettingError(f"{len(files)} files are too many at once", f"choose at most {MAX_FILES}")
        if settings.first_emotion is None and not settings.reference:
            raise SettingError("the tab Edit has no clip to copy", "choose an emotion or a clip there")
        if not consent:
            raise SettingError("please confirm first that you may edit these faces", "tick the box above the button")
        return list(files)


def table_html(rows: list[dict[str, Any]]) -> str:
    """The table of a batch as HTML; empty without rows."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{name.capitalize()}</th>' for name in FACTS)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(row))}</tr>" for row in rows)
    table = f'<table class="batch-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="batch-scroll">{table}</div>'


def _cells(row: dict[str, Any]) -> list[str]:
    shares = [f"{row[key]:.0%}" if row[key] is not None else "" for key in ("before", "after")]
    kept = [f"{row[key]:.2f}" if row[key] is not None else "" for key in ("lip_correlation", "identity")]
    remark = row["error"] or ("the emotion is weak" if row["weak"] else "")
    return [row["source"], *shares, *kept, remark]


def _progress_line(progress: JobProgress, name: str, number: int, count: int) -> str:
    stage = STAGES.get(progress.stage, progress.stage.capitalize())
    text = f"File {number + 1} of {count}, {Path(name).name}: {stage}"
    return status_line("busy", text, (number + progress.done) / count)


def _summary(batch: Batch) -> str:
    failed = sum(row["error"] is not None for row in batch.rows)
    done = len(batch.rows) - failed
    text = f"Done: {done} of {len(batch.rows)} files are edited."
    return status_line("done" if done else "failed", text + (" The table says what went wrong." if failed else ""))


def _unused_name(path: Path, used: set[str]) -> str:
    names = (path.name, *(f"{path.stem}-{number}{path.suffix}" for number in range(2, MAX_FILES + 2)))
    return next(name for name in names if name not in used)
