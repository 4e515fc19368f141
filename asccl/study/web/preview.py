"""The researcher's preview of a study: every page as participants see it, with real clips. Nothing is stored.

The trials are those of a participant who does not exist. They follow from the plan alone, so no request depends on an
earlier one.
"""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from asccl.errors import SettingError
from asccl.study.answering import clips_by_slot, describe_trial
from asccl.study.design import Trial, participant_seed, schedule_trials
from asccl.study.session import CHECK_SHAPES
from asccl.study.store import Store
from asccl.study.studies import Study, load_study
from asccl.study.web.participant import page_values
from asccl.study.web.render import render_page

PAGES = {"consent": "First page", "check": "Check", "trial": "Questions", "thanks": "Last page"}
CLIP_PREFIX = "preview-"  # of the addresses that the page of the questions requests
EXAMPLE_CODE = "EXAMPLE123"
PREVIEW_NUMBER = 0  # of the participant; real ones count from 1


def show_preview(request: Request, store: Store, session: str, form: FormData) -> Response:
    """Return one of the participants' pages.

    Args:
        request: with the study and the name of the page.
        store: where the study is kept.
        session: the administrator's session.
        form: empty.
    """
    study, page = _load(request, store), request.query_params.get("page", "consent")
    if page not in PAGES:
        raise SettingError("there is no such page", "go back and use a link")
    preview = {"page": page, "pages": list(PAGES.items()), "prefix": CLIP_PREFIX}
    return_url = study.plan.return_url.replace("{code}", EXAMPLE_CODE)
    details: dict[str, dict[str, Any]] = {
        "check": {"shape": CHECK_SHAPES[0], "failed": ""},
        "thanks": {
            "code": EXAMPLE_CODE,
            "return_url": return_url,
            "has_remarks": False,
        },
    }
    values = {**page_values(study, study.id, ""), **details.get(page, {})}
    return render_page(f"{page}.html", preview=preview, base="../", **values)


def send_screen(request: Request, store: Store, session: str, form: FormData) -> Response:
    """Return the first trial as `answering.show_trial` does.

    Args:
        request: with the study.
        store: where the study is kept.
        session: the administrator's session.
        form: empty.
    """
    return JSONResponse({"screen": _screen(_load(request, store), 1)})


def skip_answer(request: Request, store: Store, session: str, form: FormData) -> Response:
    """Return the trial after the answered one; from the last one the page returns to the first.

    Args:
        request: with the study and the position of the answered trial.
        store: where the study is kept.
        session: the administrator's session.
        form: empty.
    """
    return JSONResponse({"screen": _screen(_load(request, store), 1 + _position(request.query_params.get("n", "")))})


def send_clip(request: Request, store: Store, session: str, form: FormData) -> Response:
    """Return a clip of the schedule.

    Args:
        request: with the study and the name that the screen gave the clip.
        store: where the study is kept.
        session: the administrator's session.
        form: empty.
    """
    study = _load(request, store)
    number, _, slot = request.query_params.get("c", "").partition("-")
    trials, index = _schedule(study), _position(number) - 1
    slots = clips_by_slot(study, trials[index]) if 0 <= index < len(trials) else {}
    if slot not in slots:
        raise SettingError("there is no such clip", "reload the page")
    path = store.clip_path(study.id, study.files[trials[index].item, *slots[slot]][0])
    if not path.exists():
        raise SettingError("this clip is gone", "go back to the list of studies")
    return FileResponse(path)


def _load(request: Request, store: Store) -> Study:
    with store.read() as connection:
        return load_study(connection, request.query_params.get("s", ""))


def _schedule(study: Study) -> list[Trial]:
    seed = participant_seed(study.plan.seed, PREVIEW_NUMBER)
    return schedule_trials(study.plan, study.method_pairs(), {}, seed, study.broken)


def _screen(study: Study, position: int) -> dict[str, Any] | None:
    trials = _schedule(study)
    if not 1 <= position <= len(trials):
        return None
    questions = [trial.question for trial in trials]

    def named_clips(number: int) -> list[dict[str, str]]:
        slots = clips_by_slot(study, trials[number - 1])
        return [{"slot": slot, "clip": f"{number}-{slot}"} for slot in slots]

    following = [clip["clip"] for clip in named_clips(position + 1)] if position < len(trials) else []
    description = describe_trial(study.plan, questions, position, trials[position - 1].kind)
    return {**description, "clips": named_clips(position), "next": following}


def _position(text: str) -> int:
    """Return a position that was sent; 0 for anything that is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0
