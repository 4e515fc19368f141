"""Rendered templates, static files, and the beeps of the sound check."""

from __future__ import annotations

import io
import math
import wave
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

FOLDER = Path(__file__).parent
STATIC_TYPES = {
    "study.css": "text/css",
    "lockstep.js": "text/javascript",
    "trial.js": "text/javascript",
    "page.js": "text/javascript",
    "admin.js": "text/javascript",
    "app_results.js": "text/javascript",
}
SAMPLE_RATE = 22_050  # Hz
BEEP_SECONDS, PAUSE_SECONDS = 0.25, 0.35
BEEP_FREQUENCY = 660  # Hz
BEEP_AMPLITUDE, SILENCE = 90, 128  # 8-bit sample values
FADE_SAMPLES = 400

templates = Environment(
    loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def render_page(template: str, status: int = 200, **values: Any) -> Response:
    """Return a page from a template.

    Args:
        template: name of the file.
        status: HTTP status.
        values: variables of the template.
    """
    return HTMLResponse(templates.get_template(template).render(**values), status)


@cache
def static_file(name: str) -> tuple[bytes, str]:
    """Return content and media type of a static file. Raises KeyError or OSError for any other name."""
    return (FOLDER / "static" / name).read_bytes(), STATIC_TYPES[name]


@cache
def beep_sound(count: int) -> bytes:
    """Return a WAV file with this number of beeps."""
    samples = bytearray()
    length = int(BEEP_SECONDS * SAMPLE_RATE)
    for _ in range(count):
        for index in range(length):
            fade = min(1.0, index / FADE_SAMPLES, (length - index) / FADE_SAMPLES)
            phase = 2 * math.pi * BEEP_FREQUENCY * index / SAMPLE_RATE
            samples.append(round(SILENCE + BEEP_AMPLITUDE * fade * math.sin(phase)))
        samples += bytes([SILENCE]) * int(PAUSE_SECONDS * SAMPLE_RATE)
    output = io.BytesIO()
    with wave.open(output, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(bytes(samples))
    return output.getvalue()
