"""The administrator's pages, behind a secret: create studies, send links, watch the progress, read the results."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from asccl.errors import AscclError, SettingError
from asccl.study import participants, studies, tables, tokens
from asccl.study.assignments import count_answers
from asccl.study.charts import NARROW_LAYOUT, draw_chart
from asccl.study.edits import ClipEditor
from asccl.study.export import participants_csv, votes_csv, votes_jsonl
from asccl.study.results import load_results
from asccl.study.store import Store
from asccl.study.study_deletion import check_title, delete_study
from asccl.study.web import preview
from asccl.study.web.addresses import link_root
from asccl.study.web.creation import start_creation
from asccl.study.web.jobs import StudyJobRegistry
from asccl.study.web.render import render_page
from asccl.types import EMOTIONS
from asccl.web.rate_limiter import RateLimiter

ADMIN_PATH = "/study/admin"
UPLOAD_PATH = f"{ADMIN_PATH}/make"
SESSION_COOKIE = "asccl_study_admin"
MAX_UPLOADED_FILES = 2000  # of one study
MAX_LINKS = 1000  # created at once
MAX_LISTED_PAIRS = 12  # with the fewest answers
MEDIA_TYPES = {
    "csv": "text/csv",
    "people": "text/csv",
    "jsonl": "application/jsonl",
    "json": "application/json",
    "md": "text/markdown",
    "tex": "application/x-tex",
}
FILE_SUFFIXES = {"people": "-participants.csv"}
AdminHandler = Callable[[Request, Store, str, FormData], Response]  # (request, store, session, form) -> response


class AdminPages:
    """The routes of the administrator.

    Args:
        open_store: opens the store; returns None where there is none yet.
        login_limiter: limit on the wrong secrets of one address; the right one is always accepted.
        editor: renders the clips of studies made from edits; None leaves these out.
    """

    def __init__(
        self,
        open_store: Callable[[], Store | None],
        login_limiter: RateLimiter,
        editor: ClipEditor | None = None,
    ):
        self._open_store, self._login_limiter, self._editor = open_store, login_limiter, editor
        self._jobs = StudyJobRegistry()

    def routes(self) -> list[Route]:
        """Return the routes of all pages."""
        return [
            Route(ADMIN_PATH, _redirect_to_list, methods=["GET"]),
            Route(f"{ADMIN_PATH}/login", self._receive_login, methods=["POST"]),
            self._route("/list", self._list_studies),
            self._route("/logout", self._log_out, "POST"),
            self._route("/new", self._show_form),
            self._route("/make", self._create_study, "POST"),
            self._route("/job", self._show_job),
            self._route("/one", self._show_study),
            self._route("/invite", self._invite, "POST"),
            self._route("/change", self._change_study, "POST"),
            self._route("/delete", self._delete_study, "POST"),
            self._route("/results", self._show_results),
            self._route("/file", self._download),
            self._route("/preview", preview.show_preview),
            self._route(f"/{preview.CLIP_PREFIX}screen", preview.send_screen),
            self._route(f"/{preview.CLIP_PREFIX}clip", preview.send_clip),
            self._route(f"/{preview.CLIP_PREFIX}answer", preview.skip_answer, "POST", changes=False),
        ]

    def _route(self, path: str, handler: AdminHandler, method: str = "GET", changes: bool = True) -> Route:
        """Return a route for administrators only that calls the handler in a thread; errors become one line.

        A POST request that changes something needs the proof of a form of this session.
        """

        async def endpoint(request: Request) -> Response:
            session = request.cookies.get(SESSION_COOKIE, "")
            store = await run_in_threadpool(self._authenticate, session)
            if isinstance(store, Response):
                return store
            form = FormData()
            if request.method == "POST" and changes:
                form = await request.form(max_files=MAX_UPLOADED_FILES, max_fields=200)
                if not tokens.equal_in_constant_time(str(form.get("form", "")), store.signer.form_token(session)):
                    return _error_page("This form has expired", "Go back, reload the page and try again.", 403)
            try:
                return await run_in_threadpool(handler, request, store, session, form)
            except AscclError as error:
                return _error_page("That did not work", f"{error}.", 422)
            finally:
                await form.close()

        return Route(f"{ADMIN_PATH}{path}", endpoint, methods=[method])

    def _authenticate(self, session: str) -> Store | Response:
        store = self._open_store()
        secret_hash = store.secret_hash() if store else None
        if (
            store is None
            or secret_hash is None
            or not store.signer.is_admin_session(session, secret_hash, store.session_serial())
        ):
            return _login_page(401, "", known=bool(secret_hash))
        return store

    async def _receive_login(self, request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=5)
        return await run_in_threadpool(self._log_in, request, str(form.get("secret", "")))

    def _log_in(self, request: Request, secret: str) -> Response:
        store = self._open_store()
        secret_hash = store.secret_hash() if store else None
        is_secret = secret_hash is not None and tokens.equal_in_constant_time(tokens.hash_secret(secret), secret_hash)
        if store is None or secret_hash is None or not is_secret:
            if not self._login_limiter.allows(request.client.host if request.client else ""):
                return _login_page(429, "Too many attempts. Wait a minute.", known=True)
            return _login_page(403, "That is not the secret.", known=bool(secret_hash))
        response = RedirectResponse("list", 303)
        response.set_cookie(
            SESSION_COOKIE,
            store.signer.admin_session(secret_hash, store.session_serial()),
            tokens.ADMIN_SESSION_SECONDS,
            path=None,  # the path of the address in the browser, which contains the prefix of a proxy
            secure=request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    def _log_out(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        store.end_sessions()
        response = RedirectResponse("list", 303)
        response.delete_cookie(SESSION_COOKIE, path=None)  # type: ignore[arg-type]  # as set: its annotation lacks None
        return response

    def _list_studies(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        with store.read() as connection:
            rows = [(study, _progress(connection, study)) for study in studies.list_studies(connection)]
        return self._page(store, session, "list.html", studies=rows)

    def _show_form(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        return self._page(store, session, "new.html", emotions=EMOTIONS, can_edit=self._editor is not None)

    def _create_study(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        name = start_creation(self._jobs, store, form, self._editor)
        return RedirectResponse(f"job?j={quote(name)}", 303)

    def _show_job(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        job = self._jobs.get(request.query_params.get("j", ""))
        if job is None:
            return RedirectResponse("list", 303)
        return self._page(store, session, "job.html", job=job, done=job.done.is_set())

    def _show_study(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        study_id = request.query_params.get("s", "")
        with store.read() as connection:
            study = studies.load_study(connection, study_id)
            rows = participants.list_participants(store, connection, study_id)
            answers = count_answers(connection, study)
            progress = _progress(connection, study)
        pairs = sorted(answers.items(), key=lambda entry: (entry[1], entry[0].item))
        return self._page(
            store,
            session,
            "study.html",
            study=study,
            participants=rows,
            progress=progress,
            pairs=pairs[:MAX_LISTED_PAIRS],
            open_token=store.signer.open_link_token(study_id, study.open_serial) if study.open_serial > 0 else "",
            link_root=link_root(request),
            is_link_root_fixed=bool(os.environ.get("ASCCL_STUDY_URL")),
            plan=json.dumps(json.loads(study.plan.to_json()), indent=1, ensure_ascii=False),
        )

    def _invite(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        labels = [line.strip() for line in str(form.get("labels", "")).splitlines() if line.strip()]
        if len(labels) == 1 and labels[0].isdecimal() and len(labels[0]) < 6:
            labels = [""] * int(labels[0])
        if not 1 <= len(labels) <= MAX_LINKS:
            raise SettingError("that is not a list of people", f"give one name per line, or a number up to {MAX_LINKS}")
        participants.invite_participants(store, str(form.get("s", "")), labels)
        return _redirect_to_study(form)

    def _change_study(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        study_id, participant_id = str(form.get("s", "")), str(form.get("who", ""))
        changes: dict[str, Callable[[], object]] = {
            "close": lambda: studies.set_closed(store, study_id, True),
            "open": lambda: studies.set_closed(store, study_id, False),
            "link": lambda: studies.renew_open_link(store, study_id),
            "unlink": lambda: studies.renew_open_link(store, study_id, enabled=False),
            "revoke": lambda: participants.revoke_link(store, study_id, participant_id),
            "delete": lambda: participants.delete_participant(store, study_id, participant_id),
        }
        change = str(form.get("what", ""))
        if change not in changes:
            raise SettingError("there is no such change", "go back and use a button")
        changes[change]()
        return _redirect_to_study(form)

    def _delete_study(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        study_id = str(form.get("s", ""))
        with store.read() as connection:
            check_title(studies.load_study(connection, study_id).plan.title, str(form.get("title", "")))
        return self._page(store, session, "deleted.html", deletion=delete_study(store, study_id))

    def _show_results(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        study_id = request.query_params.get("s", "")
        results = load_results(store, study_id)
        with store.read() as connection:
            people = participants.list_participants(store, connection, study_id)
        name = "all" if request.query_params.get("r") == "all" else "kept"
        pairs = tables.compared_methods(results)
        charts = [
            (draw_chart(results, name, question, *pair), draw_chart(results, name, question, *pair, NARROW_LAYOUT))
            for pair in pairs
            for question in results["questions"]
        ]
        return self._page(
            store,
            session,
            "results.html",
            results=results,
            name=name,
            summary=results[name],
            charts=charts,
            pairs=pairs,
            tables=tables,
            names={person.id: person.label or person.panel_id or f"{person.id[:8]}…" for person in people},
        )

    def _download(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        study_id, kind = request.query_params.get("s", ""), request.query_params.get("k", "")
        if kind not in MEDIA_TYPES:
            raise SettingError("there is no such file", "go back and choose one")
        with store.read() as connection:
            studies.load_study(connection, study_id)
        contents: dict[str, Callable[[], str]] = {
            "csv": lambda: votes_csv(store, study_id),
            "people": lambda: participants_csv(store, study_id),
            "jsonl": lambda: votes_jsonl(store, study_id),
            "json": lambda: json.dumps(load_results(store, study_id), indent=1),
            "md": lambda: tables.markdown_report(load_results(store, study_id)),
            "tex": lambda: tables.latex_tables(load_results(store, study_id)),
        }
        headers = {
            "Content-Disposition": f'attachment; filename="study-{study_id}{FILE_SUFFIXES.get(kind, f".{kind}")}"'
        }
        return Response(contents[kind](), media_type=MEDIA_TYPES[kind], headers=headers)

    def _page(self, store: Store, session: str, template: str, **values: Any) -> Response:
        return render_page(template, form=store.signer.form_token(session), lang="en", base="../", **values)


async def _redirect_to_list(request: Request) -> Response:
    return RedirectResponse("admin/list", 303)


def _progress(connection: Connection, study: studies.Study) -> dict[str, Any]:
    """Return how far a study is; `share` is the filled fraction of all needed answers."""
    counts, needed = count_answers(connection, study).values(), study.answers_needed()
    return {
        "share": sum(min(count, needed) for count in counts) / (needed * len(counts)),
        "answers": sum(counts),
        "pairs": len(counts),
        "fewest": min(counts),
        "most": max(counts),
        "range": tables.format_range(min(counts), max(counts)),
        "needed": needed,
        "closed": study.is_closed(),
    }


def _redirect_to_study(form: FormData) -> Response:
    return RedirectResponse(f"one?s={quote(str(form.get('s', '')))}", 303)


def _login_page(status: int, message: str, known: bool) -> Response:
    """Return the page for the secret; `known` is whether there is one at all."""
    return render_page("login.html", status, failed=message, known=known, lang="en", base="../")


def _error_page(title: str, text: str, status: int) -> Response:
    return render_page("message.html", status, title=title, text=text, lang="en", base="../")
