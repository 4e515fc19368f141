"""Load on the app: people who upload, preview and edit at the same time, alone and beside a hostile client.

Starts `python app.py` and takes simulated people through it over HTTP on loopback, each from an address of its own
(127.0.0.2 and further; other systems than Linux may lack them). Every person uploads a clip of their own, asks for
previews of several emotions, and then for an edit, again and again. As in the page, a quick preview comes first and the
adapted one follows, unless the person has asked for the next by then. The hostile client floods the queue and waits for
the results, sends bodies of 200 MB, uploads slowly and uploads wide pictures. It is a process of low priority, as in
reality it has a computer of its own; the requests that it sends and the processor time of all sides are in the figures,
also that of the process of the people, who share the processor with the app.

    python -m benchmarks.public [--people 12] [--seconds 300] [--hostile] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np

from asccl.types import EMOTIONS
from benchmarks.app_process import ROOT, Client, Server
from benchmarks.report import print_rows

CLIP = ROOT / "examples" / "astronaut.mp4"
PREVIEWS = 6  # of a person before an edit
THINKING_SECONDS = 2.0  # of a person between two requests
FLOOD_JOINS = 45
FLOOD_SESSIONS = 5
LARGE_BODY = 200 * 2**20  # bytes
SLOW_PAUSE = 1.0  # seconds between two parts of a slow upload
ATTACK_NICENESS = 19


@dataclass
class Tally:
    """What the people experienced.

    Attributes:
        first_previews: seconds from the request to the first quick preview of a file.
        later_previews: seconds of the further ones.
        adapted_previews: seconds from the quick preview to the adapted one, of those that people waited for.
        edits: seconds of an edit, the wait for a place included.
        failures: one line each.
    """

    first_previews: list[float] = field(default_factory=list)
    later_previews: list[float] = field(default_factory=list)
    adapted_previews: list[float] = field(default_factory=list)
    edits: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def settings(source: dict[str, Any], emotion: str) -> list[Any]:
    """The arguments that /preview and /edit share."""
    return [source, emotion, None, 1.0, 0, 0, -1, 0, "warp", True, "", ""]


async def live(client: Client, number: int, until: float, tally: Tally) -> None:
    """Be one person: upload, preview, edit, until the time is over.

    Args:
        client: of this person.
        number: of this person.
        until: monotonic time at which to leave.
        tally: counts what happens.
    """
    emotions = itertools.cycle(EMOTIONS)
    adapting: list[asyncio.Task[None]] = []
    await asyncio.sleep(0.5 * number)
    try:
        source = await client.upload(f"person-{number}.mp4", CLIP.read_bytes() + bytes([number]))  # a file of their own
        times = tally.first_previews
        while time.monotonic() < until:
            for _ in range(PREVIEWS):
                start = time.monotonic()
                data = [*settings(source, next(emotions)), 0.5]
                await client.call("preview", data)
                times.append(time.monotonic() - start)
                times = tally.later_previews
                adapting.append(asyncio.create_task(adapt(client, data, tally)))
                await asyncio.sleep(THINKING_SECONDS)
            start = time.monotonic()
            await client.call("edit", [*settings(source, next(emotions)), False, True])
            tally.edits.append(time.monotonic() - start)
        await asyncio.gather(*adapting)
    except (httpx.HTTPError, RuntimeError) as error:
        tally.failures.append(f"person {number}: {type(error).__name__} {error}"[:200])


async def adapt(client: Client, data: list[Any], tally: Tally) -> None:
    """Wait for the adapted preview, or for the next request of the person, which ends it.

    Args:
        client: of this person.
        data: arguments of the quick preview.
        tally: counts it.
    """
    start = time.monotonic()
    if "data:image" in await client.call("adapted_preview", [*data, True]):
        tally.adapted_previews.append(time.monotonic() - start)


async def attack(url: str, until: float) -> Counter[int]:
    """Be the hostile client until the time is over.

    Args:
        url: of the app.
        until: monotonic time.

    Returns:
        How many requests got which status; 0 where the connection was closed.
    """
    client, answers = Client(url, "127.0.0.2", "hostile"), Counter[int]()
    wide = cv2.imencode(".png", np.zeros((256, 40_000, 3), np.uint8))[1].tobytes()
    source = await client.upload("hostile.mp4", CLIP.read_bytes())
    picture = await client.upload("wide.png", wide)

    async def flood(data: list[Any], endpoint: str) -> None:
        while time.monotonic() < until:
            for count in range(FLOOD_JOINS):
                answers[(await client.join(endpoint, data, f"flood{count % FLOOD_SESSIONS}")).status_code] += 1
            await asyncio.sleep(1)

    async def listen(session: str) -> None:
        """Wait for the messages of a session: the app works for nobody who does not."""
        while time.monotonic() < until:
            url = f"gradio_api/queue/data?session_hash={session}"
            with suppress(httpx.HTTPError):
                async with client.http.stream("GET", url) as response:
                    async for _ in response.aiter_bytes():
                        if time.monotonic() > until:
                            break
            await asyncio.sleep(1)

    async def send_large_bodies() -> None:
        while time.monotonic() < until:
            status = 0
            with suppress(httpx.HTTPError):
                status = (await client.http.post("gradio_api/queue/join", content=bytes(LARGE_BODY))).status_code
            answers[status] += 1
            await asyncio.sleep(1)

    async def upload_slowly() -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="slow.mp4"\r\n\r\n'
            while time.monotonic() < until:
                yield b"0"
                await asyncio.sleep(SLOW_PAUSE)

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        with suppress(httpx.HTTPError):
            await client.http.post("gradio_api/upload", content=parts(), headers=headers)

    await asyncio.gather(
        flood([*settings(source, "sad"), False, True], "edit"),
        flood([*settings(source, "happy"), 0.5], "preview"),
        flood([*settings(source, "fear"), 0.5, True], "adapted_preview"),
        flood([picture], "faces"),
        send_large_bodies(),
        *(listen(f"flood{number}") for number in range(FLOOD_SESSIONS)),
        *(upload_slowly() for _ in range(20)),
    )
    await client.close()
    return answers


def attack_in_process(url: str, until: float, figures: multiprocessing.SimpleQueue[Any]) -> None:
    """Be the hostile client in a process of its own.

    Args:
        url: of the app.
        until: monotonic time.
        figures: receives the number of requests by status, and seconds of processor time.
    """
    os.nice(ATTACK_NICENESS)
    answers = asyncio.run(attack(url, until))
    figures.put((dict(answers), round(time.process_time())))


async def run(people: int, seconds: float, hostile: bool) -> dict[str, Any]:
    """Run one load. Returns its figures.

    Args:
        people: how many at the same time.
        seconds: how long.
        hostile: whether a hostile client takes part.
    """
    tally, memory = Tally(), []
    with tempfile.TemporaryDirectory(prefix="asccl-benchmark-") as name:
        server = Server(Path(name))
        try:
            await server.wait()
            visitor = Client(server.url, "127.0.0.1", "warm-up")  # loads the models
            source = await visitor.upload("warm-up.mp4", CLIP.read_bytes())
            await visitor.call("edit", [*settings(source, "sad"), False, True])
            await visitor.close()
            before = server.measure()
            start, people_start = time.monotonic(), time.process_time()
            clients = [Client(server.url, f"127.0.0.{number + 3}", f"person{number}") for number in range(people)]
            tasks = [
                asyncio.create_task(live(client, number, start + seconds, tally))
                for number, client in enumerate(clients)
            ]
            figures = multiprocessing.get_context("spawn").SimpleQueue()
            attacker = multiprocessing.get_context("spawn").Process(
                target=attack_in_process, args=(server.url, start + seconds, figures), daemon=True
            )
            if hostile:
                attacker.start()
            while not all(task.done() for task in tasks):
                memory.append((time.monotonic() - start, server.measure()["memory"]))
                await asyncio.sleep(2)
            await asyncio.gather(*tasks, return_exceptions=True)
            people_seconds = time.process_time() - people_start
            answers, attack_seconds = await asyncio.to_thread(figures.get) if hostile else ({}, 0)
            for client in clients:
                await client.close()
            await asyncio.sleep(25)  # abandoned jobs end
            after = server.measure()
            used = server.measured.cpu_times()
        finally:
            server.process.terminate()
            server.process.wait(60)
        leftovers = len(list(Path(name).glob("asccl-*")))
    by_minute = itertools.groupby(memory, lambda entry: int(entry[0] // 60))
    return {
        "hostile": hostile,
        "first previews": quantiles(tally.first_previews),
        "later previews": quantiles(tally.later_previews),
        "adapted previews": quantiles(tally.adapted_previews),
        "edits": quantiles(tally.edits),
        "failures": tally.failures,
        "requests of the hostile client by status": answers,
        "processor seconds": {
            "app": round(used.user + used.system),
            "people": round(people_seconds),
            "hostile client": attack_seconds,
        },
        "median memory by minute": [round(float(np.median([v for _, v in entries]))) for _, entries in by_minute],
        "before": before,
        "after": after,
        "leftovers after the end": leftovers,
    }


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Number, median and 95th percentile, in seconds."""
    if not seconds:
        return {"count": 0}
    p50, p95 = np.quantile(seconds, [0.5, 0.95])
    return {"count": len(seconds), "median": round(float(p50), 2), "p95": round(float(p95), 2)}


def main() -> None:
    """Parse the arguments, run the load and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--hostile", action="store_true", help="a second run, with a hostile client")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results = [
        asyncio.run(run(arguments.people, arguments.seconds, hostile))
        for hostile in ([False, True] if arguments.hostile else [False])
    ]
    for result in results:
        name = f"public, {arguments.people} people{' and a hostile client' if result.pop('hostile') else ''}"
        print(name)
        print_rows(name, {label: str(value) for label, value in result.items()}, arguments.json)


if __name__ == "__main__":
    main()
