"""Templates, files that never change, and the small sounds and pictures of the check."""

from __future__ import annotations

import io
import math
import wave
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

HERE = Path(__file__).parent
STATIC = {
    "study.css": "text/css", "trial.js": "text/javascript", "page.js": "text/javascript", "admin.js": "text/javascript"
}  # fmt: skip
RATE, BEEP, PAUSE, PITCH = 22_050, 0.25, 0.35, 660  # Hz, s, s, Hz

templates = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def page(template: str, status: int = 200, **values: Any) -> Response:
    return HTMLResponse(templates.get_template(template).render(**values), status)


@cache
def static(name: str) -> tuple[bytes, str]:
    """Raises KeyError for any other name."""
    return (HERE / "static" / name).read_bytes(), STATIC[name]


@cache
def beeps(count: int) -> bytes:
    """A WAV file with so many beeps."""
    samples = bytearray()
    for _ in range(count):
        length = int(BEEP * RATE)
        for index in range(length):
            fade = min(1.0, index / 400, (length - index) / 400)
            samples.append(round(128 + 90 * fade * math.sin(2 * math.pi * PITCH * index / RATE)))
        samples += bytes([128]) * int(PAUSE * RATE)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(RATE)
        file.writeframes(bytes(samples))
    return out.getvalue()
