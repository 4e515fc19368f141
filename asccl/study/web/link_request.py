"""What a participant's browser sends, unchecked except for its types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request


@dataclass(frozen=True)
class LinkRequest:
    """A request by a link.

    Attributes:
        study_id: from the link.
        token: from the link.
        parameters: of the address, the form or the JSON object.
        address: of the client; for limits only, never stored.
    """

    study_id: str
    token: str
    parameters: dict[str, Any]
    address: str


async def read_query(request: Request) -> dict[str, str]:
    """Return the parameters of an address."""
    return {key: to_text(value) for key, value in request.query_params.items()}


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form."""
    form = await request.form(max_files=0, max_fields=60)
    return {key: to_text(value) for key, value in form.items()}


async def read_json(request: Request) -> dict[str, Any]:
    """Return the object that was sent, or an empty one; `s` and `p` are always texts."""
    try:
        parameters = json.loads(await request.body())
    except (ValueError, RecursionError):
        return {}
    if not isinstance(parameters, dict):
        return {}
    return {**parameters, "s": to_text(parameters.get("s")), "p": to_text(parameters.get("p"))}


def to_text(value: Any) -> str:
    """Return a text as it is, and an empty one in place of anything else, also of a text that UTF-8 cannot encode."""
    is_text = isinstance(value, str) and not any("\ud800" <= character <= "\udfff" for character in value)
    return value if is_text else ""


def to_count(value: Any) -> int:
    """Return a non-negative integer that the database can hold, and 0 in place of anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else 0
