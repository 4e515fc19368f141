"""Load on the study pages: participants at once, over HTTP on loopback, and the server killed in the middle.

Starts `python app.py --study-only` on a store of its own, takes simulated participants through the whole walk (pages,
check, clips, answers; an answer waits until its clips could have played), kills the server with SIGKILL half-way,
starts it again, and compares what was acknowledged with what is stored.

    python -m benchmarks.study [--people 100] [--no-kill] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import httpx
import numpy as np

from asccl.study import people, session, studies
from asccl.study.manifest import read_items
from asccl.study.plan import from_dict
from asccl.study.results import read_votes
from asccl.study.store import Store
from asccl.types import Frame, MediaInfo
from asccl.video import Writer
from benchmarks.report import print_rows

ROOT = Path(__file__).parent.parent
PEOPLE, ITEMS, QUOTA = 100, 12, 4
RATE, FRAMES, SIZE = Fraction(12), 24, 256  # two seconds
PAUSE = 2.2  # seconds between seeing a question and answering it: the clips last two


@dataclass
class Tally:
    acknowledged: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    retries: int = 0
    down: bool = False


def clip(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 40, (SIZE, SIZE, 3), np.uint8)
    info = MediaInfo(path, SIZE, SIZE, RATE, 1 / RATE, 0.0, FRAMES, False)
    with Writer(path, info) as writer:
        for index in range(FRAMES):
            image = noise.copy()
            image[90:160, 5 * index : 5 * index + 70] += np.uint8(120)
            writer.write(Frame(image, index, index))


def prepare(folder: Path, number: int) -> tuple[str, list[str]]:
    """A study and its personal links."""
    for item in range(ITEMS):
        for seed, name in enumerate(("source", "reference", "NED", "ASCCL")):
            clip(folder / "clips" / f"item-{item}" / f"{name}.mp4", 10 * item + seed)
    store = Store(folder / "data")
    plan = from_dict({"title": "Load", "quota": QUOTA, "judgements_per_pair": number, "repeats": 1})
    study, _ = studies.create(store, plan, read_items(folder / "clips"))
    links = [token for _, token in people.invite(store, study, [""] * number)]
    store.close()
    return study, links


def serve(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Returns when it answers."""
    process = subprocess.Popen(
        [sys.executable, "app.py", "--study-only", "--port", str(port)], cwd=ROOT, stdout=subprocess.DEVNULL,
        env={**os.environ, "ASCCL_STUDY_DIR": str(folder / "data"), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    for _ in range(1200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/study/static/study.css", timeout=5).raise_for_status()
            return process
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError("the server does not answer")


async def patient(client: httpx.AsyncClient, tally: Tally, method: str, path: str, **sent: object) -> httpx.Response:
    """As the page does it: asks until there is an answer."""
    while True:
        try:
            reply = await client.request(method, path, **sent)  # type: ignore[arg-type]
            if reply.status_code < 500:
                return reply
        except httpx.HTTPError:
            pass
        tally.retries += 1
        await asyncio.sleep(0.5)


async def participant(client: httpx.AsyncClient, tally: Tally, study: str, token: str, puzzle: tuple[str, int]) -> None:
    link = {"s": study, "p": token}
    await patient(client, tally, "GET", "study", params=link)
    await patient(client, tally, "POST", "study/consent", data={**link, "agree": "yes"})
    shape, beeps = puzzle
    await patient(client, tally, "POST", "study/check", data={**link, "shape": shape, "beeps": str(beeps)})
    screen = (await patient(client, tally, "GET", "study/screen", params=link)).json()["screen"]
    while screen:
        for one in screen["clips"]:
            await patient(client, tally, "GET", "study/clip", params={**link, "c": one["clip"]})
        await asyncio.sleep(PAUSE)
        position = screen["position"]
        sent = {**link, "position": position, "key": f"{token[:12]}-{position:08}", "answer": "left",
                "plays_left": 1, "plays_right": 1, "mode": "together"}  # fmt: skip
        began, before = time.perf_counter(), tally.retries
        reply = await patient(client, tally, "POST", "study/answer", json=sent)
        if reply.status_code != 200:
            raise RuntimeError(f"an answer was refused: {reply.status_code} {reply.text}")
        if not tally.down and tally.retries == before:
            tally.seconds.append(time.perf_counter() - began)
        tally.acknowledged[token[:22], position] += 1
        screen = reply.json()["screen"]


async def load(folder: Path, port: int, study: str, links: list[str], total: int, kill: bool) -> tuple[Tally, float]:
    tally = Tally()
    store = Store(folder / "data")
    puzzles = [session.open_session(store, study, token).puzzle() for token in links]
    store.close()
    process, began = serve(folder, port), time.perf_counter()
    limits = httpx.Limits(max_connections=len(links), max_keepalive_connections=len(links))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/", timeout=60, limits=limits) as client:
        walks = [
            asyncio.create_task(participant(client, tally, study, token, puzzle))
            for token, puzzle in zip(links, puzzles, strict=True)
        ]
        if kill:
            while len(tally.acknowledged) < total / 2 and not any(walk.done() for walk in walks):
                await asyncio.sleep(0.05)
            tally.down = True
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = await asyncio.to_thread(serve, folder, port)
            await asyncio.sleep(3)
            tally.down = False
        await asyncio.gather(*walks)
    spent = time.perf_counter() - began
    process.terminate()
    process.wait(60)
    return tally, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"at once; default {PEOPLE}")
    parser.add_argument("--no-kill", action="store_true", help="leave the server alone")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file, too")
    arguments = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study, links = prepare(folder, arguments.people)
        each = 3 * QUOTA + 1 + 1 + 1 + 2  # main, training, repeat, identical, broken
        total = each * arguments.people
        tally, spent = asyncio.run(load(folder, port, study, links, total, not arguments.no_kill))
        store = Store(folder / "data")
        stored = Counter((vote["participant_id"], vote["position"]) for vote in read_votes(store, study))
        with store.read() as connection:
            judged = people.judged(connection, studies.load(connection, study))
        store.close()
    lost, twice = tally.acknowledged - stored, sum(count > 1 for count in stored.values())
    p50, p95, p99 = (1000 * float(np.quantile(tally.seconds, q)) for q in (0.5, 0.95, 0.99))
    print_rows("study", {
        "participants at once": float(arguments.people), "answers expected": float(total),
        "answers acknowledged": float(len(tally.acknowledged)), "answers stored": float(len(stored)),
        "acknowledged and not stored": float(sum(lost.values())), "stored twice": float(twice),
        "requests sent again": float(tally.retries), "seconds in all": spent, "answers a second": total / spent,
        "answering a question, median, ms": p50, "answering a question, p95, ms": p95,
        "answering a question, p99, ms": p99, "judgements of a pair, fewest": float(min(judged.values())),
        "judgements of a pair, most": float(max(judged.values())),
    }, arguments.json)  # fmt: skip
    if lost or twice or len(stored) != total:
        raise SystemExit("answers were lost or counted twice")


if __name__ == "__main__":
    main()
