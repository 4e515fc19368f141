"""Measure the app under load: people who upload, preview and edit at once, alone and beside a hostile client.

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
from benchmarks.app_process import CLIP, Client, ServedApp, edit_settings, served_app
from benchmarks.hostile_client import HostileClient
from benchmarks.report import print_rows

PREVIEWS = 6  # of a person before an edit
THINKING_SECONDS = 2.0  # of a person between two requests


@dataclass
class Experience:
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


async def simulate_person(client: Client, number: int, until: float, experience: Experience) -> None:
    """Upload, preview and edit as one person does, until the time is over.

    Args:
        client: of this person.
        number: of this person.
        until: monotonic time at which to leave.
        experience: is extended.
    """
    emotions = itertools.cycle(EMOTIONS)
    adapting: list[asyncio.Task[None]] = []
    await asyncio.sleep(0.5 * number)
    try:
        source = await client.upload(f"person-{number}.mp4", CLIP.read_bytes() + bytes([number]))  # a file of their own
        times = experience.first_previews
        while time.monotonic() < until:
            for _ in range(PREVIEWS):
                start = time.monotonic()
                data = [*edit_settings(source, next(emotions)), 0.5]
                await client.call("preview", data)
                times.append(time.monotonic() - start)
                times = experience.later_previews
                adapting.append(asyncio.create_task(request_adapted_preview(client, data, experience)))
                await asyncio.sleep(THINKING_SECONDS)
            start = time.monotonic()
            await client.call("edit", [*edit_settings(source, next(emotions)), False, True])
            experience.edits.append(time.monotonic() - start)
        await asyncio.gather(*adapting)
    except (httpx.HTTPError, RuntimeError) as error:
        experience.failures.append(f"person {number}: {type(error).__name__} {error}"[:200])


async def request_adapted_preview(client: Client, data: list[Any], experience: Experience) -> None:
    """Wait for the adapted preview, or for the next request of the person, which ends it.

    Args:
        client: of this person.
        data: arguments of the quick preview.
        experience: is extended.
    """
    start = time.monotonic()
    if "data:image" in await client.call("adapted_preview", [*data, True]):
        experience.adapted_previews.append(time.monotonic() - start)


def measure_server(app: ServedApp, folder: Path) -> dict[str, float]:
    """Measure memory in MB, threads, open descriptors and temporary files of the app in a folder of its own."""
    with app.process.oneshot():
        return {
            "memory": round(app.process.memory_info().rss / 1e6),
            "threads": app.process.num_threads(),
            "descriptors": app.process.num_fds(),
            "job folders": len(list(folder.glob("asccl-app-*/asccl-run-*"))),
        }


async def simulate_load(people: int, seconds: float, hostile: bool) -> dict[str, Any]:
    """Let people use the app for some time. Returns the figures.

    Args:
        people: how many at the same time.
        seconds: how long.
        hostile: whether a hostile client takes part.
    """
    experience, memory = Experience(), []
    with tempfile.TemporaryDirectory(prefix="asccl-benchmark-") as name:
        folder = Path(name)
        with served_app(environment={"TMPDIR": name}) as app:
            visitor = Client(app.url, "127.0.0.1", "warm-up")  # loads the models
            source = await visitor.upload("warm-up.mp4", CLIP.read_bytes())
            await visitor.call("edit", [*edit_settings(source, "sad"), False, True])
            await visitor.close()
            before = measure_server(app, folder)
            start, people_start = time.monotonic(), time.process_time()
            clients = [Client(app.url, f"127.0.0.{number + 3}", f"person{number}") for number in range(people)]
            tasks = [
                asyncio.create_task(simulate_person(client, number, start + seconds, experience))
                for number, client in enumerate(clients)
            ]
            attacker = HostileClient(app.url, start + seconds) if hostile else None
            while not all(task.done() for task in tasks):
                memory.append((time.monotonic() - start, measure_server(app, folder)["memory"]))
                await asyncio.sleep(2)
            await asyncio.gather(*tasks, return_exceptions=True)
            people_seconds = time.process_time() - people_start
            answers, attack_seconds = await asyncio.to_thread(attacker.figures) if attacker else ({}, 0)
            for client in clients:
                await client.close()
            await asyncio.sleep(25)  # abandoned jobs end
            after = measure_server(app, folder)
            app_seconds = app.processor_seconds()
        leftovers = len(list(folder.glob("asccl-*")))
    by_minute = itertools.groupby(memory, lambda entry: int(entry[0] // 60))
    return {
        "hostile": hostile,
        "first previews": quantiles(experience.first_previews),
        "later previews": quantiles(experience.later_previews),
        "adapted previews": quantiles(experience.adapted_previews),
        "edits": quantiles(experience.edits),
        "failures": experience.failures,
        "requests of the hostile client by status": answers,
        "processor seconds": {
            "app": round(app_seconds),
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
    parser.add_argument("--people", type=int, default=12, help="at the same time; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=300.0, help="of a run; default: %(default)s")
    parser.add_argument("--hostile", action="store_true", help="a second run, with a hostile client")
    parser.add_argument("--json", type=Path, help="append the JSON lines to this file as well")
    arguments = parser.parse_args()
    results = [
        asyncio.run(simulate_load(arguments.people, arguments.seconds, hostile))
        for hostile in ([False, True] if arguments.hostile else [False])
    ]
    for result in results:
        name = f"public, {arguments.people} people{' and a hostile client' if result.pop('hostile') else ''}"
        print(name)
        print_rows(name, {label: str(value) for label, value in result.items()}, arguments.json)


if __name__ == "__main__":
    main()
