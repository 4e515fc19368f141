"""The administrator's pages: make studies, send links, watch them fill, read the results. Behind a secret."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from asccl.errors import AscclError, InputError, SettingError
from asccl.study import people, studies, tables, tokens
from asccl.study.charts import chart
from asccl.study.edits import CanEdit, make_edits, parse_method, references_in
from asccl.study.export import votes_csv, votes_jsonl
from asccl.study.manifest import read_items
from asccl.study.plan import read_plan
from asccl.study.results import results
from asccl.study.store import Store
from asccl.study.web.guard import RateLimiter
from asccl.study.web.jobs import StudyJob, StudyJobs
from asccl.study.web.render import page
from asccl.study.web.uploads import keep, unpack
from asccl.types import EMOTIONS

COOKIE = "asccl_study_admin"
LOGINS = RateLimiter(rate=0.2, most=10)
MOST_LINKS = 1000
TYPES = {"csv": "text/csv", "jsonl": "application/jsonl", "json": "application/json", "md": "text/markdown",
         "tex": "application/x-tex"}  # fmt: skip
Form = dict[str, str]


class Admin:
    """store: opens the store. editor: for studies made from edits; None leaves them out."""

    def __init__(self, store: Callable[[], Store | None], editor: CanEdit | None = None):
        self._store, self._editor, self._jobs = store, editor, StudyJobs()

    def routes(self) -> list[Route]:
        def to(path: str, work: Callable[..., Response], method: str = "GET") -> Route:
            async def endpoint(request: Request) -> Response:
                return await self._run(request, work)

            return Route(f"/study/admin{path}", endpoint, methods=[method])

        return [
            Route("/study/admin", self.to_list, methods=["GET"]),
            Route("/study/admin/login", self.login, methods=["POST"]),
            to("/list", self._list),
            to("/logout", self._logout, "POST"),
            to("/new", self._new),
            to("/make", self._make, "POST"),
            to("/job", self._job),
            to("/one", self._one),
            to("/invite", self._invite, "POST"),
            to("/change", self._change, "POST"),
            to("/results", self._results),
            to("/file", self._file),
        ]

    async def to_list(self, request: Request) -> Response:
        return RedirectResponse("admin/list", 303)

    async def login(self, request: Request) -> Response:
        form = await request.form(max_files=0, max_fields=5)
        return await run_in_threadpool(self._login, request, str(form.get("secret", "")))

    def _login(self, request: Request, secret: str) -> Response:
        store = self._store()
        known = store.secret_hash() if store else None
        if not LOGINS.allows(request.client.host if request.client else ""):
            return page(
                "login.html", 429, failed="Too many attempts. Wait a minute.", known=True, lang="en", base="../"
            )
        if store is None or known is None or not tokens.same(tokens.hashed(secret), known):
            return page("login.html", 403, failed="That is not the secret.", known=bool(known), lang="en", base="../")
        done = RedirectResponse("list", 303)
        secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
        # No path: it is then that of the address, below whatever a proxy puts before it.
        done.set_cookie(COOKIE, store.signer.admin(known), tokens.ADMIN_SECONDS, path=None, secure=secure,
                        httponly=True, samesite="strict")  # fmt: skip
        return done

    async def _run(self, request: Request, work: Callable[..., Response]) -> Response:
        """Calls `work(request, store, session, form)` in a thread, for who is logged in; errors become one line."""
        session = request.cookies.get(COOKIE, "")
        store = await run_in_threadpool(self._enter, session)
        if isinstance(store, Response):
            return store
        form = FormData()
        if request.method == "POST":
            form = await request.form(max_files=500, max_fields=200)
            if not tokens.same(str(form.get("form", "")), store.signer.form(session)):
                return _note("This form has expired", "Go back, reload the page and try again.", 403)
        try:
            return await run_in_threadpool(work, request, store, session, form)
        except AscclError as error:
            return _note("That did not work", f"{error}.", 422)
        finally:
            await form.close()

    def _enter(self, session: str) -> Store | Response:
        store = self._store()
        known = store.secret_hash() if store else None
        if store is None or known is None or not store.signer.is_admin(session, known):
            return page("login.html", 401, failed="", known=bool(known), lang="en", base="../")
        return store

    def _list(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        with store.read() as connection:
            found = [(study, _progress(connection, study)) for study in studies.all_of(connection)]
        return self._page(store, session, "list.html", studies=found)

    def _logout(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        done = RedirectResponse("list", 303)
        done.delete_cookie(COOKIE, path=None)  # type: ignore[arg-type]
        return done

    def _new(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        return self._page(store, session, "new.html", emotions=EMOTIONS, can_edit=self._editor is not None)

    def _make(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        folder = Path(tempfile.mkdtemp(prefix="asccl-study-"))
        try:
            work = self._prepared(store, form, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        name = self._jobs.start(work, lambda: shutil.rmtree(folder, ignore_errors=True))
        return RedirectResponse(f"job?j={quote(name)}", 303)

    def _prepared(self, store: Store, form: FormData, folder: Path) -> Callable[[StudyJob], tuple[str, list[str]]]:
        """Takes the files out of the form, before it closes, and checks what can be checked at once."""
        toml = folder / "study.toml"
        toml.write_text(str(form.get("plan", "")), encoding="utf-8")
        asked = {"title": str(form.get("title", "")).strip() or None}
        clips = folder / "clips"
        clips.mkdir()
        sent = [one for one in form.getlist("zip") if isinstance(one, UploadFile) and one.filename]
        if sent:
            plan, place = read_plan(toml, **asked), unpack(sent[0].file, clips)
            items = read_items(place)
            return lambda job: studies.create(store, plan, items, job.tell)
        editor = self._editor
        sources = _kept(form, "sources", folder)
        if editor is None or not sources:
            raise InputError("no clips came", "choose a ZIP of clips, or videos to edit")
        references = references_in(_kept(form, "references", folder))
        emotions = [name for name in form.getlist("emotions") if isinstance(name, str)]
        methods = [parse_method(line) for line in str(form.get("methods", "")).splitlines() if line.strip()]
        if not emotions:
            raise SettingError("no emotion is chosen", "choose one or more")
        if not set(emotions) <= references.keys() and "questions" not in toml.read_text(encoding="utf-8"):
            asked["questions"] = ["realism", "mouth"]  # type: ignore[assignment]
        plan = read_plan(toml, **asked)

        def work(job: StudyJob) -> tuple[str, list[str]]:
            make_edits(editor, sources, emotions, methods, clips, references, job.tell)
            return studies.create(store, plan, read_items(clips), job.tell)

        return work

    def _job(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        job = self._jobs.get(request.query_params.get("j", ""))
        if job is None:
            return RedirectResponse("list", 303)
        return self._page(store, session, "job.html", job=job, done=job.done.is_set())

    def _one(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        wanted = request.query_params.get("s", "")
        with store.read() as connection:
            study = studies.load(connection, wanted)
            persons = people.everybody(store, connection, wanted)
            pairs = sorted(people.judged(connection, study).items(), key=lambda one: (one[1], one[0].item))
            progress = _progress(connection, study)
        open_token = store.signer.open_link(wanted, study.open_serial) if study.open_serial > 0 else ""
        return self._page(
            store, session, "one.html", study=study, people=persons, progress=progress, pairs=pairs[:12],
            need=study.plan.judgements_per_pair * len(study.plan.questions), open_token=open_token, root=_root(request),
            plan=json.dumps(json.loads(study.plan.to_json()), indent=1, ensure_ascii=False),
        )  # fmt: skip

    def _invite(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        labels = [line.strip() for line in str(form.get("labels", "")).splitlines() if line.strip()]
        if len(labels) == 1 and labels[0].isdecimal() and len(labels[0]) < 6:
            labels = [""] * int(labels[0])
        if not 1 <= len(labels) <= MOST_LINKS:
            raise SettingError("that is no list of people", f"give one name a line, or a number up to {MOST_LINKS}")
        people.invite(store, str(form.get("s", "")), labels)
        return _to(form)

    def _change(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        study, person = str(form.get("s", "")), str(form.get("who", ""))
        changes: dict[str, Callable[[], object]] = {
            "close": lambda: studies.set_closed(store, study, True),
            "open": lambda: studies.set_closed(store, study, False),
            "link": lambda: studies.renew_open_link(store, study),
            "unlink": lambda: studies.renew_open_link(store, study, on=False),
            "revoke": lambda: people.revoke(store, study, person),
            "delete": lambda: people.remove(store, study, person),
        }
        what = str(form.get("what", ""))
        if what not in changes:
            raise SettingError("there is no such change", "go back and use a button")
        changes[what]()
        return _to(form)

    def _results(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        found = results(store, request.query_params.get("s", ""))
        name = "all" if request.query_params.get("r") == "all" else "kept"
        charts = [
            chart(found, name, question, *pair) for pair in tables.pairs(found) for question in found["questions"]
        ]
        return self._page(
            store, session, "results.html", found=found, name=name, reading=found[name], charts=charts,
            pairs=tables.pairs(found), rows_of=tables.rows_of, percent=tables.percent, interval=tables.interval,
            caption=tables.CAPTION,
        )  # fmt: skip

    def _file(self, request: Request, store: Store, session: str, form: FormData) -> Response:
        study, kind = request.query_params.get("s", ""), request.query_params.get("k", "")
        if kind not in TYPES:
            raise SettingError("there is no such file", "go back and choose one")
        with store.read() as connection:
            studies.load(connection, study)
        if kind in ("csv", "jsonl"):
            told = (votes_csv if kind == "csv" else votes_jsonl)(store, study)
        else:
            found = results(store, study)
            told = {"json": lambda: json.dumps(found, indent=1), "md": lambda: tables.markdown(found),
                    "tex": lambda: tables.latex(found)}[kind]()  # fmt: skip
        attached = {"Content-Disposition": f'attachment; filename="study-{study}.{kind}"'}
        return Response(told, media_type=TYPES[kind], headers=attached)

    def _page(self, store: Store, session: str, template: str, **values: Any) -> Response:
        return page(template, form=store.signer.form(session), lang="en", base="../", **values)


def _progress(connection: Any, study: studies.Study) -> dict[str, Any]:
    judged = people.judged(connection, study)
    need = study.plan.judgements_per_pair * len(study.plan.questions)
    return {
        "share": sum(min(count, need) for count in judged.values()) / (need * len(judged)),
        "answers": sum(judged.values()), "pairs": len(judged), "least": min(judged.values()),
        "most": max(judged.values()), "closed": study.closed(),
    }  # fmt: skip


def _kept(form: FormData, key: str, folder: Path) -> list[Path]:
    sent = [one for one in form.getlist(key) if isinstance(one, UploadFile) and one.filename]
    return [keep(one.file, one.filename or "", folder / key) for one in sent]


def _root(request: Request) -> str:
    """The address that links begin with, as the administrator's browser sees it."""
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme).split(",")[0].strip()
    host = request.headers.get("x-forwarded-host", request.headers.get("host", "")).split(",")[0].strip()
    prefix = request.headers.get("x-forwarded-prefix", request.scope.get("root_path", "")).rstrip("/")
    return f"{'https' if scheme == 'https' else 'http'}://{host}{prefix}/study"


def _to(form: FormData) -> Response:
    return RedirectResponse(f"one?s={quote(str(form.get('s', '')))}", 303)


def _note(title: str, text: str, status: int) -> Response:
    return page("note.html", status, title=title, text=text, lang="en", base="../")
