"""Measure the study pages under load: many participants at once on loopback, and the server killed in the middle.

Starts `python app.py --study-only` with a store of its own and takes simulated participants through the whole study
(pages, check, clips, answers; an answer waits until its clips could have ended). Half-way it kills the server with
SIGKILL and starts it again. In the end it compares the acknowledged answers with the stored ones.

    python -m benchmarks.study [--people 100] [--no-kill] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from asccl.study.assignments import count_answers
from asccl.study.manifest import read_items
from asccl.study.participants import invite_participants
from asccl.study.plan import parse_plan
from asccl.study.session import open_session
from asccl.study.store import Store
from asccl.study.studies import create_study, load_study
from asccl.study.votes import read_votes
from asccl.types import Frame, MediaInfo
from asccl.video import Writer
from benchmarks.app_process import ServedApp, free_port, start_app
from benchmarks.report import print_rows

NUM_PARTICIPANTS, NUM_ITEMS, QUOTA = 100, 12, 4
TRIALS = 3 * QUOTA + 3 + 1 + 1 + 2  # of a participant: main, practice of three questions, repeat, identical, broken
FRAME_RATE, NUM_FRAMES, SIZE = Fraction(12), 24, 256  # clips of two seconds
ANSWER_DELAY = 2.2  # s between a question and its answer: the clips last two
RETRY_DELAY = 0.5  # s


@dataclass
class LoadFigures:
    """What the simulated participants experienced.

    Attributes:
        acknowledged: how often each answer was acknowledged, by (participant id, position).
        seconds: response times of answers while the server was up.
        retries: number of requests sent again.
        repeats: number of trials watched again, because a killed server had not noted which clips it had sent.
        is_down: whether the server is down.
    """

    acknowledged: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    retries: int = 0
    repeats: int = 0
    is_down: bool = False


class SimulatedParticipant:
    """Goes through a study as its pages do.

    Args:
        client: sends the requests.
        figures: is extended.
        link: query parameters of the personal link.
        check: shape and number of beeps that the check expects.
    """

    def __init__(self, client: httpx.AsyncClient, figures: LoadFigures, link: dict[str, str], check: tuple[str, int]):
        self._client, self._figures, self._link, self._check = client, figures, link, check

    async def finish(self) -> None:
        """Consent, pass the check and answer everything."""
        await self._request("GET", "study", params=self._link)
        await self._request("POST", "study/consent", data={**self._link, "agree": "yes"})
        shape, beeps = self._check
        await self._request("POST", "study/check", data={**self._link, "shape": shape, "beeps": str(beeps)})
        trial = await self._screen()
        while trial:
            for clip in trial["clips"]:
                await self._request("GET", "study/clip", params={**self._link, "c": clip["clip"]})
            await asyncio.sleep(ANSWER_DELAY)
            trial = await self._answer(trial["position"])

    async def _screen(self) -> dict[str, Any] | None:
        return (await self._request("GET", "study/screen", params=self._link)).json()["screen"]

    async def _answer(self, position: int) -> dict[str, Any] | None:
        token = self._link["p"]
        answer = {
            **self._link,
            "position": position,
            "key": f"{token[:12]}-{position:08}",
            "answer": "left",
            "plays_left": 1,
            "plays_right": 1,
            "mode": "together",
        }
        started, retries = time.perf_counter(), self._figures.retries
        response = await self._request("POST", "study/answer", json=answer)
        if response.status_code == 422 and response.json()["reason"] == "early":
            self._figures.repeats += 1
            return await self._screen()  # the page loads itself again, and the clips with it
        if response.status_code != 200:
            raise RuntimeError(f"an answer was refused: {response.status_code} {response.text}")
        if not self._figures.is_down and self._figures.retries == retries:
            self._figures.seconds.append(time.perf_counter() - started)
        self._figures.acknowledged[token[:22], position] += 1
        return response.json()["screen"]

    async def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Repeat a request until the server responds, as the page does."""
        while True:
            try:
                response = await self._client.request(method, path, **content)
                if response.status_code < 500:
                    return response
            except httpx.HTTPError:
                pass
            self._figures.retries += 1
            await asyncio.sleep(RETRY_DELAY)


def write_moving_square(path: Path, seed: int) -> None:
    """Write a clip of a bright square that moves over noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 40, (SIZE, SIZE, 3), np.uint8)
    info = MediaInfo(path, SIZE, SIZE, FRAME_RATE, 1 / FRAME_RATE, 0.0, NUM_FRAMES, False)
    with Writer(path, info) as writer:
        for index in range(NUM_FRAMES):
            image = noise.copy()
            image[90:160, 5 * index : 5 * index + 70] += np.uint8(120)
            writer.write(Frame(image, index, index))


def create_benchmark_study(folder: Path, participants: int) -> tuple[str, list[str]]:
    """Return a study and the tokens of its personal links."""
    for item in range(NUM_ITEMS):
        for seed, name in enumerate(("source", "reference", "NED", "ASCCL")):
            write_moving_square(folder / "clips" / f"item-{item}" / f"{name}.mp4", 10 * item + seed)
    store = Store(folder / "data")
    plan = parse_plan({"title": "Load", "quota": QUOTA, "judgements_per_pair": participants, "repeats": 1})
    study_id, _ = create_study(store, plan, read_items(folder / "clips"))
    tokens = [token for _, token in invite_participants(store, study_id, [""] * participants)]
    store.close()
    return study_id, tokens


def start_study_server(folder: Path, port: int) -> ServedApp:
    """Start the study pages and wait until they respond. folder: see `create_benchmark_study`. Raises RuntimeError."""
    app = start_app(port, "--study-only", environment={"ASCCL_STUDY_DIR": str(folder / "data")})
    app.wait_until_ready("study/static/study.css")
    return app


async def run_load(
    folder: Path, port: int, study_id: str, tokens: Sequence[str], kill: bool
) -> tuple[LoadFigures, float]:
    """Let all participants go through the study at once.

    Args:
        folder: of the benchmark study.
        port: free port for the server.
        study_id: the benchmark study.
        tokens: of the personal links.
        kill: kill the server half-way and start it again.

    Returns:
        What happened, and the seconds it took.
    """
    figures = LoadFigures()
    store = Store(folder / "data")
    checks = [open_session(store, study_id, token).check_solution() for token in tokens]
    store.close()
    servers, started = [start_study_server(folder, port)], time.perf_counter()
    limits = httpx.Limits(max_connections=len(tokens), max_keepalive_connections=len(tokens))
    try:
        async with httpx.AsyncClient(base_url=servers[0].url, timeout=60, limits=limits) as client:
            tasks = [
                asyncio.create_task(SimulatedParticipant(client, figures, {"s": study_id, "p": token}, check).finish())
                for token, check in zip(tokens, checks, strict=True)
            ]
            if kill:
                half = TRIALS * len(tokens) / 2
                while len(figures.acknowledged) < half and not any(task.done() for task in tasks):
                    await asyncio.sleep(0.05)
                figures.is_down = True
                servers[-1].process.kill()
                servers[-1].process.wait()
                servers.append(await asyncio.to_thread(start_study_server, folder, port))
                await asyncio.sleep(3)
                figures.is_down = False
            await asyncio.gather(*tasks)
        return figures, time.perf_counter() - started
    finally:
        servers[-1].stop()


def main() -> None:
    """Run the benchmark from the command line. Exits with an error if an answer was lost or counted twice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=NUM_PARTICIPANTS, help="at once; default: %(default)s")
    parser.add_argument("--no-kill", action="store_true", help="do not kill the server")
    parser.add_argument("--json", type=Path, help="append the JSON line to this file")
    arguments = parser.parse_args()
    port = free_port()  # of both servers: the pages of participants stay where they are
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study_id, tokens = create_benchmark_study(folder, arguments.people)
        figures, seconds = asyncio.run(run_load(folder, port, study_id, tokens, not arguments.no_kill))
        store = Store(folder / "data")
        stored = Counter((vote["participant_id"], vote["position"]) for vote in read_votes(store, study_id))
        with store.read() as connection:
            judgements = count_answers(connection, load_study(connection, study_id)).values()
        store.close()
    expected = TRIALS * arguments.people
    lost, twice = figures.acknowledged - stored, sum(count > 1 for count in stored.values())
    p50, p95, p99 = (1000 * float(np.quantile(figures.seconds, q)) for q in (0.5, 0.95, 0.99))
    rows = {
        "participants at once": arguments.people,
        "answers expected": expected,
        "answers acknowledged": len(figures.acknowledged),
        "answers stored": len(stored),
        "acknowledged and not stored": sum(lost.values()),
        "stored twice": twice,
        "requests sent again": figures.retries,
        "trials watched again": figures.repeats,
        "seconds in all": seconds,
        "answers a second": expected / seconds,
        "answering a question, median, ms": p50,
        "answering a question, p95, ms": p95,
        "answering a question, p99, ms": p99,
        "judgements of a pair, fewest": min(judgements),
        "judgements of a pair, most": max(judgements),
    }
    print_rows("study", rows, arguments.json)
    if lost or twice or len(stored) != expected:
        raise SystemExit("answers were lost or counted twice")


if __name__ == "__main__":
    main()
