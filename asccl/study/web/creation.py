"""Studies that an administrator creates in the browser: from a ZIP of clips, or by editing uploaded videos."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from starlette.datastructures import FormData, UploadFile

from asccl.errors import InputError, SettingError
from asccl.study import studies, tokens
from asccl.study.clip_folders import unfinished_folder
from asccl.study.edits import ClipEditor, edit_clips, parse_method, references_by_emotion
from asccl.study.manifest import read_items
from asccl.study.plan import StudyPlan, parse_plan, read_plan_table
from asccl.study.questions import PAPER_QUESTIONS
from asccl.study.store import Store
from asccl.study.web.jobs import StudyJob, StudyJobRegistry
from asccl.study.web.uploads import save_folder, save_upload, unpack_zip

MAX_PLAN_BYTES = 2**20  # of a study file
UPLOAD_PREFIX = "upload-"  # of a folder of uploaded files, beside the folders of clips
StudyWork = Callable[[StudyJob], tuple[str, list[str]]]  # job -> (study id, warnings)


def start_creation(jobs: StudyJobRegistry, store: Store, form: FormData, editor: ClipEditor | None) -> str:
    """Start the job that creates a study from a form.

    Args:
        jobs: runs the job.
        store: gets the study.
        form: as the browser sent it; its files are saved before this returns.
        editor: renders the clips of studies made from edits; None refuses these.

    Returns:
        The name of the job.

    Raises:
        AscclError: the form has no clips, or its settings are wrong.
    """
    stack = ExitStack()
    folder = stack.enter_context(unfinished_folder(store, f"{UPLOAD_PREFIX}{tokens.new_study_id()}"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700)
        plan_file = folder / "study.toml"
        _save_plan(form, plan_file)
        title = str(form.get("title", "")).strip() or None
        archives = _uploads(form, "zip")
        if archives:
            work = _prepare_zip(store, archives[0], plan_file, title)
        elif _uploads(form, "folder"):
            work = _prepare_folder(store, form, plan_file, title)
        else:
            work = _prepare_edits(store, form, editor, plan_file, title)
    except BaseException:
        stack.close()
        raise
    return jobs.start(work, stack.close)


def _prepare_zip(store: Store, archive: UploadFile, plan_file: Path, title: str | None) -> StudyWork:
    clips = plan_file.with_name("clips")
    clips.mkdir()
    items = read_items(unpack_zip(archive.file, clips))
    plan = _read_plan(plan_file, title, all(item.reference for item in items))
    return lambda job: studies.create_study(store, plan, items, job.report)


def _prepare_folder(store: Store, form: FormData, plan_file: Path, title: str | None) -> StudyWork:
    clips = plan_file.with_name("clips")
    clips.mkdir()
    files = [(upload.file, upload.filename or "") for upload in _uploads(form, "folder")]
    items = read_items(save_folder(files, clips))
    plan = _read_plan(plan_file, title, all(item.reference for item in items))
    return lambda job: studies.create_study(store, plan, items, job.report)


def _read_plan(plan_file: Path, title: str | None, has_references: bool) -> StudyPlan:
    """Read the study file. If it names no questions and references are missing, leave out the one about the emotion."""
    table = read_plan_table(plan_file)
    if title is not None:
        table["title"] = title
    if not has_references:
        table.setdefault("questions", [name for name, show in PAPER_QUESTIONS.items() if "reference" not in show])
    return parse_plan(table)


def _save_plan(form: FormData, plan_file: Path) -> None:
    """Write the study file: the uploaded one, or the text of the form."""
    content = str(form.get("plan", "")).encode("utf-8", "surrogatepass")
    for upload in _uploads(form, "plan_file"):
        content = upload.file.read(MAX_PLAN_BYTES)
    plan_file.write_bytes(content)


def _prepare_edits(
    store: Store, form: FormData, editor: ClipEditor | None, plan_file: Path, title: str | None
) -> StudyWork:
    clips = plan_file.with_name("clips")
    clips.mkdir()
    sources = _save_videos(form, "sources", plan_file.parent)
    if editor is None or not sources:
        raise InputError("the form has no clips", "choose a folder or a ZIP of clips, or videos to edit")
    references = references_by_emotion(_save_videos(form, "references", plan_file.parent))
    emotions = [name for name in form.getlist("emotions") if isinstance(name, str)]
    methods = [parse_method(line) for line in str(form.get("methods", "")).splitlines() if line.strip()]
    if not emotions:
        raise SettingError("no emotion is chosen", "choose one or more")
    plan = _read_plan(plan_file, title, set(emotions) <= references.keys())

    def work(job: StudyJob) -> tuple[str, list[str]]:
        edit_clips(editor, sources, emotions, methods, clips, references, job.report)
        return studies.create_study(store, plan, read_items(clips), job.report)

    return work


def _uploads(form: FormData, key: str) -> list[UploadFile]:
    return [entry for entry in form.getlist(key) if isinstance(entry, UploadFile) and entry.filename]


def _save_videos(form: FormData, key: str, folder: Path) -> list[Path]:
    return [save_upload(upload.file, upload.filename or "", folder / key) for upload in _uploads(form, key)]
