"""Synthetic clips, a store on SQLite and, where it is installed, on PostgreSQL, and a study with two methods."""

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
from participant_steps import empty_database
from synthetic_study import write_items

from asccl.study import answering
from asccl.study.manifest import read_items
from asccl.study.plan import parse_plan
from asccl.study.store import Store
from asccl.study.studies import create_study

POSTGRESQL_FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
NewStudy = Callable[..., str]


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six items, happy and sad, two methods, with source and reference; half a second each."""
    return write_items(tmp_path_factory.mktemp("study-clips"))


def _find_program(name: str) -> str | None:
    paths = [folder / name for folder in reversed(POSTGRESQL_FOLDERS) if (folder / name).exists()]
    return str(paths[0]) if paths else shutil.which(name)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a temporary PostgreSQL server on loopback; skips where it cannot be started."""
    initdb, pg_ctl = _find_program("initdb"), _find_program("pg_ctl")
    if not (initdb and pg_ctl):
        pytest.skip("PostgreSQL is not on this machine: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install -e .[dev]")
    base = Path(os.path.realpath(tmp_path_factory.mktemp("postgres")))
    user, as_user = getpass.getuser(), {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        try:
            account = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not start as root, and there is no user postgres")
        base = Path("/tmp") / f"asccl-postgres-{os.getpid()}"  # a folder that this user can enter
        base.mkdir(mode=0o700)
        os.chown(base, account.pw_uid, account.pw_gid)
        user, as_user = "postgres", {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]

    def run(*command: str) -> None:
        process = subprocess.run(command, cwd=base, capture_output=True, text=True, timeout=240, **as_user)
        assert process.returncode == 0, process.stdout + process.stderr

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
        empty_database(url)
    store = Store(tmp_path / "data", url)
    yield store
    store.close()


@pytest.fixture
def sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.delenv("ASCCL_STUDY_DB", raising=False)
    store = Store(tmp_path / "data")
    yield store
    store.close()


@pytest.fixture
def new_study(clips: Path) -> NewStudy:
    """new_study(store, **plan) -> id of a study of the six items."""

    def create(store: Store, **settings: object) -> str:
        plan = parse_plan({"title": "Which is better?", "judgements_per_pair": 5, **settings})
        return create_study(store, plan, read_items(clips))[0]

    return create


@pytest.fixture
def no_watch_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept answers before the clips were sent and can have ended."""
    monkeypatch.setattr(answering, "MIN_WATCH_FRACTION", 0.0)
    monkeypatch.setattr(answering, "MIN_DELIVERED_FRACTION", 0.0)
