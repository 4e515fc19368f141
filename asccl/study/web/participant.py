"""The pages of participants. Addresses in them are relative, so they work under any sub-path of any proxy."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from asccl.errors import AscclError, StudyError
from asccl.study import answering, session
from asccl.study.answering import Answer
from asccl.study.page_texts import load_texts
from asccl.study.session import ParticipantSession, SessionError
from asccl.study.store import Store
from asccl.study.studies import Study, deleted_language, load_study
from asccl.study.web.clip_response import ClipResponse
from asccl.study.web.limiters import StudyLimiters
from asccl.study.web.link_request import LinkRequest, read_form, read_json, read_query, to_count, to_text
from asccl.study.web.middleware import log
from asccl.study.web.render import beep_sound, render_page, static_file

STATUS = {
    "invalid": 404,
    "deleted": 410,
    "closed": 403,
    "full": 403,
    "order": 409,
    "early": 422,
    "bad": 422,
    "busy": 429,
    "taken": 409,
}
MAX_KEY_LENGTH = 80  # characters of a token that the rate limiters keep; a valid one is shorter
CHECK_ERRORS = ("check_failed", "check_sound_needed")  # names of texts
STATIC_CACHE = "public, max-age=3600"
ParticipantHandler = Callable[[Store, LinkRequest], Response]


class ParticipantPages:
    """The routes of participants.

    Args:
        open_store: opens the store at the first visit that needs it; returns None where there is none yet.
        limiters: limits on the number of requests.
    """

    def __init__(self, open_store: Callable[[], Store | None], limiters: StudyLimiters):
        self._open_store, self._limiters = open_store, limiters

    def routes(self) -> list[Route]:
        """Return the routes of all pages."""
        return [
            self._route("", self._show, read_query),
            self._route("/join", self._join, read_form, "POST"),
            self._route("/consent", self._consent, read_form, "POST"),
            self._route("/check", self._check, read_form, "POST"),
            self._route("/withdraw", self._withdraw, read_form, "POST"),
            self._route("/remarks", self._remarks, read_form, "POST"),
            self._route("/screen", self._screen, read_query, json_errors=True),
            self._route("/answer", self._answer, read_json, "POST", json_errors=True),
            self._route("/clip", self._clip, read_query),
            self._route("/beeps", self._beeps, read_query),
            Route("/study/static/{name}", _serve_static, methods=["GET"]),
        ]

    def _route(
        self,
        path: str,
        handler: ParticipantHandler,
        read: Callable[..., Any],
        method: str = "GET",
        json_errors: bool = False,
    ) -> Route:
        """Return a route that calls the handler in a thread; every refusal becomes a page or a JSON object."""

        async def endpoint(request: Request) -> Response:
            parameters = await read(request)
            address = request.client.host if request.client else ""
            link = LinkRequest(parameters.get("s", ""), parameters.get("p", ""), parameters, address)
            try:
                if not self._limiters.requests.allows(link.token[:MAX_KEY_LENGTH]):
                    raise SessionError("busy")
                store = await run_in_threadpool(self._open_store)
                if store is None:
                    raise SessionError("invalid")
                return await run_in_threadpool(handler, store, link)
            except SessionError as error:
                reason = error.reason
                if reason == "invalid" and not self._limiters.invalid_links.allows(address):
                    reason = "busy"
            except AscclError as error:
                log.error("a study page failed: %s", error)
                reason = "error"
            if json_errors:
                return JSONResponse({"reason": reason}, STATUS.get(reason, 500))
            texts, language = await run_in_threadpool(self._load_texts, link.study_id)
            return _error_page(reason, texts, language, base="study/" if request.url.path.endswith("/study") else "")

        return Route(f"/study{path}", endpoint, methods=[method])

    def _load_texts(self, study_id: str) -> tuple[dict[str, str], str]:
        """Return texts and language of a study; English where there is no such study, or its store fails."""
        with suppress(StudyError):
            store = self._open_store()
            if store is not None:
                with store.read() as connection:
                    if language := deleted_language(connection, study_id):
                        return load_texts(language), language
                    plan = load_study(connection, study_id).plan
                    return plan.page_texts(), plan.language
        return load_texts("en"), "en"

    def _show(self, store: Store, request: LinkRequest) -> Response:
        current = session.open_session(store, request.study_id, request.token)
        if current.stage != "done":
            current.require_open()
        values = page_values(current.study, request.study_id, request.token)
        if current.stage == "check":
            shape, _ = current.check_solution()
            failed = request.parameters.get("failed", "")
            return render_page("check.html", shape=shape, failed=failed if failed in CHECK_ERRORS else "", **values)
        if current.stage == "done":
            code = store.signer.completion_code(current.participant_id)
            return render_page("thanks.html", **_finished_values(current, code), **values)
        if current.stage == "join":
            panel_parameter = current.study.plan.panel_parameter
            return render_page("join.html", panel_id=request.parameters.get(panel_parameter, ""), **values)
        return render_page(f"{current.stage}.html", **values)

    def _join(self, store: Store, request: LinkRequest) -> Response:
        limits = (self._limiters.joins, request.token[:MAX_KEY_LENGTH]), (self._limiters.address_joins, request.address)
        if not all(limiter.allows(key) for limiter, key in limits):
            raise SessionError("busy")
        panel_id = request.parameters.get("panel", "")
        token = session.join_study(store, request.study_id, request.token, panel_id)
        return _redirect_to_link(request.study_id, token)

    def _consent(self, store: Store, request: LinkRequest) -> Response:
        if request.parameters.get("agree") == "yes":
            session.accept_consent(store, request.study_id, request.token)
        session.open_session(store, request.study_id, request.token)
        return _redirect_to_link(request.study_id, request.token)

    def _check(self, store: Store, request: LinkRequest) -> Response:
        shape, beeps = request.parameters.get("shape", ""), request.parameters.get("beeps", "")
        failed = session.submit_check(store, request.study_id, request.token, shape, beeps)
        return _redirect_to_link(request.study_id, request.token, failed)

    def _withdraw(self, store: Store, request: LinkRequest) -> Response:
        plan = session.open_session(store, request.study_id, request.token).study.plan
        session.withdraw(store, request.study_id, request.token)
        texts = plan.page_texts()
        title, text = texts["withdrawn_title"], texts["withdrawn_text"]
        return render_page("message.html", title=title, text=text, lang=plan.language, base="")

    def _remarks(self, store: Store, request: LinkRequest) -> Response:
        prefix = "about_"
        answers = {
            name.removeprefix(prefix): text for name, text in request.parameters.items() if name.startswith(prefix)
        }
        session.store_remarks(store, request.study_id, request.token, request.parameters.get("comment", ""), answers)
        return _redirect_to_link(request.study_id, request.token)

    def _screen(self, store: Store, request: LinkRequest) -> Response:
        return JSONResponse({"screen": answering.show_trial(store, request.study_id, request.token)})

    def _answer(self, store: Store, request: LinkRequest) -> Response:
        answer = Answer(
            position=to_count(request.parameters.get("position")),
            key=to_text(request.parameters.get("key")),
            answer=to_text(request.parameters.get("answer")),
            plays_left=to_count(request.parameters.get("plays_left")),
            plays_right=to_count(request.parameters.get("plays_right")),
            mode=to_text(request.parameters.get("mode")),
            rating=to_count(request.parameters.get("rating")),
        )
        return JSONResponse({"screen": answering.submit_answer(store, request.study_id, request.token, answer)})

    def _clip(self, store: Store, request: LinkRequest) -> Response:
        clip = answering.find_clip(store, request.study_id, request.token, request.parameters.get("c", ""))
        try:
            return ClipResponse(clip, lambda count: answering.record_delivery(store, clip, count))
        except FileNotFoundError:  # the study was deleted a moment ago
            raise SessionError("deleted") from None

    def _beeps(self, store: Store, request: LinkRequest) -> Response:
        _, count = session.open_session(store, request.study_id, request.token).check_solution()
        return Response(beep_sound(count), media_type="audio/wav")


async def _serve_static(request: Request) -> Response:
    try:
        content, media_type = static_file(request.path_params["name"])
    except (KeyError, OSError, ValueError):
        return Response("not found", 404)
    return Response(content, media_type=media_type, headers={"Cache-Control": STATIC_CACHE})


def page_values(study: Study, study_id: str, token: str) -> dict[str, Any]:
    """Return the template variables that all pages of a link need.

    Args:
        study: the study of the link.
        study_id: from the link.
        token: from the link.
    """
    plan = study.plan
    texts = plan.page_texts()
    return {
        "t": texts,
        "plan": plan,
        "study": study_id,
        "token": token,
        "lang": plan.language,
        "texts_json": json.dumps(texts),
        "minutes": study.expected_minutes(),
    }


def _finished_values(current: ParticipantSession, code: str) -> dict[str, Any]:
    """Return the template variables of the last page.

    Args:
        current: the session of the participant.
        code: the completion code.
    """
    return_url = current.study.plan.return_url.replace("{code}", quote(code))
    return {"code": code, "return_url": return_url, "has_remarks": bool(current.row and current.row.demographics)}


def _error_page(reason: str, texts: dict[str, str], language: str, base: str) -> Response:
    status = STATUS.get(reason, 500)
    name = reason if f"{reason}_title" in texts else "error"
    title, text = texts[f"{name}_title"], texts[f"{name}_text"]
    return render_page("message.html", status, title=title, text=text, lang=language, base=base)


def _redirect_to_link(study_id: str, token: str, failed: str = "") -> Response:
    """Redirect to the page of a link, from an address one level below it."""
    parameters = {"s": study_id, "p": token, **({"failed": failed} if failed else {})}
    return RedirectResponse("../study?" + urlencode(parameters), 303)
