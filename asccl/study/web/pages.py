"""What a participant's browser asks for. Addresses are relative: the pages work under any sub-path of any proxy."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from asccl.errors import AscclError, StudyError
from asccl.study import session
from asccl.study.session import Answer, ParticipantSession, SessionError
from asccl.study.store import Store
from asccl.study.studies import load
from asccl.study.web.guard import RateLimiter, log
from asccl.study.web.render import beeps, page, static
from asccl.study.words import words

STATUS = {"invalid": 404, "closed": 403, "full": 403, "order": 409, "early": 422, "bad": 422, "busy": 429}
STEADY = RateLimiter(rate=20, most=200)  # requests of one link
STRANGERS = RateLimiter(rate=1, most=60)  # links that do not work, of one address; held in memory, never stored
JOINS = RateLimiter(rate=2, most=100)  # of one open link
LONGEST = 80  # characters of what may be a link: more are not kept, even for the pace
FAILED = ("check_failed", "check_sound_needed")
FOREVER = "public, max-age=3600"


class Pages:
    """store: opens the store, at the first visit that needs it; None where there is none yet."""

    def __init__(self, store: Callable[[], Store | None]):
        self._store = store

    def routes(self) -> list[Route]:
        return [
            Route("/study", self.show, methods=["GET"]),
            Route("/study/join", self.join, methods=["POST"]),
            Route("/study/consent", self.consent, methods=["POST"]),
            Route("/study/check", self.check, methods=["POST"]),
            Route("/study/withdraw", self.withdraw, methods=["POST"]),
            Route("/study/screen", self.screen, methods=["GET"]),
            Route("/study/answer", self.answer, methods=["POST"]),
            Route("/study/clip", self.clip, methods=["GET"]),
            Route("/study/beeps", self.beeps, methods=["GET"]),
            Route("/study/static/{name}", self.static, methods=["GET"]),
        ]

    async def show(self, request: Request) -> Response:
        return await self._run(request, dict(request.query_params), self._show)

    async def join(self, request: Request) -> Response:
        return await self._run(request, await _form(request), self._join)

    async def consent(self, request: Request) -> Response:
        return await self._run(request, await _form(request), self._consent)

    async def check(self, request: Request) -> Response:
        return await self._run(request, await _form(request), self._check)

    async def withdraw(self, request: Request) -> Response:
        return await self._run(request, await _form(request), self._withdraw)

    async def screen(self, request: Request) -> Response:
        return await self._run(request, dict(request.query_params), self._screen, told_as_json=True)

    async def answer(self, request: Request) -> Response:
        return await self._run(request, await _json(request), self._answer, told_as_json=True)

    async def clip(self, request: Request) -> Response:
        return await self._run(request, dict(request.query_params), self._clip)

    async def beeps(self, request: Request) -> Response:
        return await self._run(request, dict(request.query_params), self._beeps)

    async def static(self, request: Request) -> Response:
        try:
            content, kind = static(request.path_params["name"])
        except (KeyError, OSError, ValueError):
            return Response("not here", 404)
        return Response(content, media_type=kind, headers={"Cache-Control": FOREVER})

    async def _run(
        self, request: Request, told: dict[str, str], work: Callable[..., Response], told_as_json: bool = False
    ) -> Response:
        """Calls `work(store, study, token, told)` in a thread; every refusal becomes a page of its own."""
        study, token = told.get("s", ""), told.get("p", "")
        said, lang = words("en"), "en"
        try:
            if not STEADY.allows(token[:LONGEST]):
                raise SessionError("busy")
            store = self._store()
            if store is None:
                raise SessionError("invalid")
            return await run_in_threadpool(work, store, study, token, told)
        except SessionError as refused:
            reason = refused.reason
            if reason == "invalid" and not STRANGERS.allows(request.client.host if request.client else ""):
                reason = "busy"
            said, lang = await run_in_threadpool(self._words, study)
        except AscclError as error:
            log.error("a study page failed: %s", error)
            reason = "error"
        status = STATUS.get(reason, 500)
        if told_as_json:
            return JSONResponse({"reason": reason}, status)
        kind = reason if f"{reason}_title" in said else "error"
        title, text = said[f"{kind}_title"], said[f"{kind}_text"]
        base = "study/" if request.url.path.endswith("/study") else ""
        return page("note.html", status, title=title, text=text, lang=lang, base=base)

    def _words(self, study: str) -> tuple[dict[str, str], str]:
        """In the study's language, where there is such a study."""
        store = self._store()
        if store is not None:
            with suppress(StudyError), store.read() as connection:
                plan = load(connection, study).plan
                return plan.words(), plan.language
        return words("en"), "en"

    def _show(self, store: Store, study: str, token: str, told: dict[str, str]) -> Response:
        here = session.open_session(store, study, token)
        if here.study.closed() and here.stage != "done":
            raise SessionError("closed")
        values = _values(here, study, token)
        if here.stage == "check":
            shape, _ = here.puzzle()
            failed = told.get("failed", "")
            return page("check.html", shape=shape, failed=failed if failed in FAILED else "", **values)
        if here.stage == "done":
            return page("thanks.html", code=store.signer.code(here.person), **values)
        return page(f"{here.stage}.html", **values)

    def _join(self, store: Store, study: str, token: str, told: dict[str, str]) -> Response:
        if not JOINS.allows(token[:LONGEST]):
            raise SessionError("busy")
        return _back(study, session.join(store, study, token))

    def _consent(self, store: Store, study: str, token: str, told: dict[str, str]) -> Response:
        if told.get("agree") == "yes":
            session.consent(store, study, token)
        session.open_session(store, study, token)
        return _back(study, token)

    def _check(self, store: Store, study: str, token: str, told: dict[str, str]) -> Response:
        failed = session.check(store, study, token, told.get("shape", ""), told.get("beeps", ""))
        return _back(study, token, failed)

    def _withdraw(self, store: Store, study: str, token: str, told: dict[str, str]) -> Response:
        here = session.open_session(store, study, token)
        session.withdraw(store, study, token)
        said = here.study.plan.words()
        title, text = said["withdrawn_title"], said["withdrawn_text"]
        return page("note.html", title=title, text=text, lang=here.study.plan.language, base="")

    def _screen(self, store: Store, study: str, token: str, told: dict[str, str]) -> Response:
        return JSONResponse({"screen": session.screen(store, study, token)})

    def _answer(self, store: Store, study: str, token: str, told: dict[str, Any]) -> Response:
        given = Answer(
            _whole(told.get("position")), _text(told.get("key")), _text(told.get("answer")),
            _whole(told.get("plays_left")), _whole(told.get("plays_right")), _text(told.get("mode")),
        )  # fmt: skip
        return JSONResponse({"screen": session.answer(store, study, token, given)})

    def _clip(self, store: Store, study: str, token: str, told: dict[str, str]) -> Response:
        path = session.clip(store, study, token, told.get("c", ""))
        return FileResponse(path, media_type="video/mp4", headers={"Cache-Control": "private, max-age=3600"})

    def _beeps(self, store: Store, study: str, token: str, told: dict[str, str]) -> Response:
        _, count = session.open_session(store, study, token).puzzle()
        return Response(beeps(count), media_type="audio/wav")


def _values(here: ParticipantSession, study: str, token: str) -> dict[str, Any]:
    plan, said = here.study.plan, here.study.plan.words()
    return {"t": said, "plan": plan, "study": study, "token": token, "lang": plan.language, "said": json.dumps(said)}


def _back(study: str, token: str, failed: str = "") -> Response:
    """To the page of this link, from an address one level below it."""
    told = {"s": study, "p": token, **({"failed": failed} if failed else {})}
    return RedirectResponse("../study?" + urlencode(told), 303)


async def _form(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=20)
    return {key: value for key, value in form.items() if isinstance(value, str)}


async def _json(request: Request) -> dict[str, Any]:
    try:
        told = json.loads(await request.body())
    except (ValueError, RecursionError):
        return {}
    told = told if isinstance(told, dict) else {}
    return {**told, "s": _text(told.get("s")), "p": _text(told.get("p"))}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else 0
