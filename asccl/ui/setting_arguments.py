"""Handlers whose first argument is a dataclass of settings, while Gradio and programs pass its fields one by one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import fields
from functools import wraps
from typing import Any, TypeVar

Handler = TypeVar("Handler", bound=Callable[..., Any])


def takes_settings(kind: type) -> Callable[[Handler], Handler]:
    """Let callers of a method pass the fields of its first argument instead of that argument.

    Gradio names the parameters of an endpoint after the signature of its handler, and fills in a request by its
    annotation.

    Args:
        kind: dataclass of the first argument behind `self`.

    Returns:
        The decorator, for methods that are coroutines or asynchronous generators.
    """

    def decorate(handler: Handler) -> Handler:
        own, _, *others = inspect.signature(handler).parameters.values()
        listed = [inspect.Parameter(field.name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for field in fields(kind)]
        signature = inspect.Signature([own, *listed, *others])

        def collect(arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
            """The arguments of `handler` by name."""
            values = signature.bind(*arguments, **named).arguments
            settings = kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            return {**values, "settings": settings}

        @wraps(handler)
        async def call(*arguments: Any, **named: Any) -> Any:
            return await handler(**collect(arguments, named))

        @wraps(handler)
        async def generate(*arguments: Any, **named: Any) -> Any:
            async with aclosing(handler(**collect(arguments, named))) as outputs:
                async for output in outputs:
                    yield output

        wrapper: Any = generate if inspect.isasyncgenfunction(handler) else call
        wrapper.__signature__ = signature
        return wrapper

    return decorate
