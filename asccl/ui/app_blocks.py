"""The page as Gradio serves it, without the work that Gradio does for outputs that do not change."""

from __future__ import annotations

from copy import copy
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.state_holder import SessionState

UNCHANGED = gr.skip()


class AppBlocks(gr.Blocks):
    """A page whose handlers can leave an output unchanged at no cost.

    For every `gr.skip()`, Gradio builds the widget and the JSON schema of its values anew, which takes milliseconds of
    the thread that serves everybody. A job that reports its progress skips most of its outputs, twice a second.
    """

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


def _is_unchanged(value: Any) -> bool:
    """Whether a handler returned `gr.skip()` for an output."""
    return isinstance(value, dict) and value == UNCHANGED
