"""The page as Gradio serves it, without the work that Gradio does for outputs that do not change."""

from __future__ import annotations

from copy import copy
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.blocks import Block
from gradio.components import Component
from gradio.state_holder import SessionState

from asccl.ui.endpoints import describe_endpoints
from asccl.web.rate_limiter import RateLimiter

UNCHANGED = gr.skip()
TIME_SLIDERS = ("time", "start", "end")  # elem_id of those that the length of a file bounds
JOIN_RATE, JOIN_BURST = 20.0, 200  # requests of one address that cost something: a second, and at once
REFUSAL_COST = 20  # requests; an address that asks for more than it may pays for them with its next ones
QUEUE_INTERVAL = 0.02  # seconds between two looks of Gradio's idle queue for new requests; by default 0.001


class AppBlocks(gr.Blocks):
    """A page that limits what one address asks for, and that spares the thread that serves everybody.

    Gradio converts every input in a thread of the pool: a dozen changes of threads for a preview, each of which waits
    for Python's lock while edits compute. Values without files are converted at once instead.

    For every `gr.skip()`, Gradio builds the widget and the JSON schema of its values anew, which takes milliseconds of
    the thread that serves everybody. A job that reports its progress skips most of its outputs, twice a second.

    Gradio's queue looks for requests a thousand times a second, and each time it takes Python's lock from the threads
    that compute. `QUEUE_INTERVAL` is enough.

    Attributes:
        joins: limit on the requests of one address for the page, for work and for its messages.
    """

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        self.joins = RateLimiter(JOIN_RATE, JOIN_BURST)

    def queue(self, *arguments: Any, **settings: Any) -> AppBlocks:
        """Create the queue, as Gradio does, with our own interval.

        Args:
            arguments: of `gr.Blocks.queue`.
            settings: of `gr.Blocks.queue`.

        Returns:
            This page.
        """
        super().queue(*arguments, **settings)
        self._queue.sleep_when_free = self._queue.progress_update_sleep_when_free = QUEUE_INTERVAL
        return self

    def charge_refusal(self, address: str) -> None:
        """Let an address pay for work that was refused: it costs as much as work that is done."""
        self.joins.charge(address, REFUSAL_COST)

    def has_messages(self, name: str) -> bool:
        """Return whether Gradio has, or will have, messages for a session or an event."""
        queue = self._queue
        if name in queue.pending_messages_per_session or name in queue.event_ids_to_events:
            return True
        return any(name in events for events in queue.pending_event_ids_session.values())

    def get_api_info(self, *arguments: Any, **settings: Any) -> Any:
        """Describe the endpoints, as Gradio does, with our own names and sentences.

        Args:
            arguments: of `gr.Blocks.get_api_info`.
            settings: of `gr.Blocks.get_api_info`.

        Returns:
            The description.
        """
        return describe_endpoints(super().get_api_info(*arguments, **settings))

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list[Any], state: SessionState | None, explicit_call: bool = False
    ) -> list[Any]:
        """Convert the values of a request to the arguments of its handler.

        A page may still send a time of a longer file that was just replaced. Gradio would refuse it with a message
        about numbers that nobody typed; the end of the new file is taken instead.

        Args:
            block_fn: the handler with its inputs.
            inputs: one value for each input.
            state: of the open page.
            explicit_call: whether the program itself calls the handler.

        Returns:
            The arguments.
        """
        blocks, state = list(block_fn.inputs), state or SessionState(self)
        convert = super().preprocess_data
        if len(inputs) == len(blocks):
            inputs = [_bounded_time(state[block._id], value) for block, value in zip(blocks, inputs, strict=True)]
        plain = [number for number, block in enumerate(blocks) if _is_plain(block)]
        if not block_fn.preprocess or block_fn.component_prop_inputs or len(inputs) != len(blocks) or not plain:
            return await convert(block_fn, inputs, state, explicit_call)
        others = [number for number in range(len(blocks)) if number not in plain]
        processed = [None] * len(blocks)
        for numbers, in_thread in ((plain, False), (others, True)):
            partial = copy(block_fn)
            partial.inputs, partial.preprocess = [blocks[number] for number in numbers], in_thread
            results = await convert(partial, [inputs[number] for number in numbers], state, explicit_call)
            for number, result in zip(numbers, results, strict=True):
                processed[number] = result
        try:
            for number in plain:
                processed[number] = state[blocks[number]._id].preprocess(processed[number])
        except Exception:  # Gradio explains it
            return await convert(block_fn, inputs, state, explicit_call)
        return processed

    async def postprocess_data(
        self, block_fn: BlockFunction, predictions: list[Any] | dict[Any, Any], state: SessionState | None
    ) -> list[Any]:
        """Convert what a handler returned to what the page gets.

        Args:
            block_fn: the handler with its outputs.
            predictions: one value for each output; a single value where there is one output.
            state: of the open page.

        Returns:
            One value for each output.
        """
        outputs = list(block_fn.outputs)
        if _is_unchanged(predictions):
            values: Any = [predictions] * len(outputs)
        else:
            values = [predictions] if len(outputs) == 1 else predictions
        if block_fn.batch or not isinstance(values, (list, tuple)) or len(values) != len(outputs):
            return await super().postprocess_data(block_fn, predictions, state)
        changed = [i for i, value in enumerate(values) if outputs[i].stateful or not _is_unchanged(value)]
        processed = [dict(UNCHANGED) for _ in outputs]
        if changed:
            partial = copy(block_fn)
            partial.outputs = [outputs[index] for index in changed]
            kept = [values[index] for index in changed]
            results = await super().postprocess_data(partial, kept if len(kept) > 1 else kept[0], state)
            for index, result in zip(changed, results, strict=True):
                processed[index] = result
        return processed


def _is_plain(block: Block) -> bool:
    """Whether the values of a widget contain no files, and are converted in no time."""
    return isinstance(block, Component) and not block.stateful and getattr(block, "data_model", None) is None


def _bounded_time(block: Any, value: Any) -> Any:
    """The value of an input, within the bounds of a slider of times."""
    if not isinstance(block, gr.Slider) or block.elem_id not in TIME_SLIDERS or not isinstance(value, int | float):
        return value
    return min(max(value, block.minimum), block.maximum)


def _is_unchanged(value: Any) -> bool:
    """Whether a handler returned `gr.skip()` for an output."""
    return isinstance(value, dict) and value == UNCHANGED
