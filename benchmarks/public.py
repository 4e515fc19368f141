"""Load on the app: people who upload, preview and edit at the same time, alone and beside a hostile client.

Starts `python app.py` and takes simulated people through it over HTTP on loopback, each from an address of its own
(127.0.0.2 and further; other systems than Linux may lack them). Every person uploads a clip of their own, asks for
previews of several emotions, and then for an edit, again and again. As in the page, a quick preview comes first and the
adapted one follows, unless the person has asked for the next by then. What the hostile client does is in
`benchmarks/hostile_client.py`. The requests that it sends and the processor time of all sides are in the figures, also
that of the process of the people, who share the processor with the app.

    python -m benchmarks.public [--people 12] [--seconds 300] [--hostile] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from asccl.types import EMOTIONS
from benchmarks.app_process import CLIP, Client, Server, edit_settings
from benchmarks.hostile_client import HostileClient
from benchmarks.report import print_rows

PREVIEWS = 6  # of a person before an edit
THINKING_SECONDS = 2.0  # of a person between two requests


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


async def simulate_person(client: Client, number: int, until: float, tally: Tally) -> None:
    """Upload, preview and edit as one person does, until the time is over.

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
                data = [*edit_settings(source, next(emotions)), 0.5]
                await client.call("preview", data)
                times.append(time.monotonic() - start)
                times = tally.later_previews
                adapting.append(asyncio.create_task(adapt(client, data, tally)))
                await asyncio.sleep(THINKING_SECONDS)
            start = time.monotonic()
            await client.call("edit", [*edit_settings(source, next(emotions)), False, True])
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
            await visitor.call("edit", [*edit_settings(source, "sad"), False, True])
            await visitor.close()
            before = server.measure()
            start, people_start = time.monotonic(), time.process_time()
            clients = [Client(server.url, f"127.0.0.{number + 3}", f"person{number}") for number in range(people)]
            tasks = [
                asyncio.create_task(simulate_person(client, number, start + seconds, tally))
                for number, client in enumerate(clients)
            ]
            attacker = HostileClient(server.url, start + seconds) if hostile else None
            while not all(task.done() for task in tasks):
                memory.append((time.monotonic() - start, server.measure()["memory"]))
                await asyncio.sleep(2)
            await asyncio.gather(*tasks, return_exceptions=True)
            people_seconds = time.process_time() - people_start
            answers, attack_seconds = await asyncio.to_thread(attacker.figures) if attacker else ({}, 0)
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
