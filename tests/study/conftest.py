"""Tiny clips, a store on SQLite and, where it is installed, on PostgreSQL, and a study with two methods."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from study_media import clip_folder
from walker import empty

from asccl.study import session, studies
from asccl.study.manifest import read_items
from asccl.study.plan import from_dict
from asccl.study.store import Store

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin")) if Path("/usr/lib/postgresql").is_dir() else []
Make = Callable[..., str]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six items, happy and sad, two methods, with source and reference; half a second each."""
    return clip_folder(tmp_path_factory.mktemp("study-clips"))


def _program(name: str) -> str | None:
    return next((str(folder / name) for folder in reversed(PROGRAMS) if (folder / name).exists()), shutil.which(name))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server of our own on loopback, with a database for a while; skips where it cannot be started."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    if not (initdb and pg_ctl):
        pytest.skip("PostgreSQL is not on this machine: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install -e .[dev]")
    base = Path(os.path.realpath(tmp_path_factory.mktemp("postgres")))
    user, as_user = getpass.getuser(), {}
    if os.geteuid() == 0:  # PostgreSQL refuses root
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not start as root, and there is no user postgres")
        base = Path("/tmp") / f"asccl-postgres-{os.getpid()}"  # where that user may go
        base.mkdir(mode=0o700)
        os.chown(base, account.pw_uid, account.pw_gid)
        user, as_user = "postgres", {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=base, capture_output=True, text=True, timeout=240, **as_user)
        assert done.returncode == 0, done.stdout + done.stderr

    try:
        run(initdb, "-D", f"{base}/data", "-U", user, "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={base}"
        run(pg_ctl, "-D", f"{base}/data", "-o", options, "-l", f"{base}/log", "-w", "-t", "200", "start")
        yield f"postgresql://{user}@127.0.0.1:{port}/postgres"
        run(pg_ctl, "-D", f"{base}/data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.delenv("ASCCL_STUDY_SECRET", raising=False)
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")
        empty(url)
    opened = Store(tmp_path / "data", url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.delenv("ASCCL_STUDY_DB", raising=False)
    opened = Store(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def make(clips: Path) -> Make:
    """make(store, **plan) -> id of a study of the six items."""

    def made(store: Store, **plan: object) -> str:
        told = {"title": "Which is better?", "judgements_per_pair": 5, **plan}
        return studies.create(store, from_dict(told), read_items(clips))[0]

    return made


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers need not take as long as the clips."""
    monkeypatch.setattr(session, "MIN_WATCH_FRACTION", 0.0)
