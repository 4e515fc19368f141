"""Outputs that a handler leaves unchanged cost nothing; the others are converted as Gradio does."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest
from coroutines import run_coroutine
from gradio.state_holder import SessionState

from asccl.ui.app_blocks import QUEUE_INTERVAL, AppBlocks


def convert(predictions: Any, count: int = 2, kind: type[gr.Blocks] = AppBlocks) -> tuple[list[Any], list[bool]]:
    """Convert what a handler with some outputs returns.

    Returns the values for the page, and of each widget whether Gradio has built it anew.
    """
    with kind(analytics_enabled=False) as page:
        widgets = [gr.Textbox("before") for _ in range(count)]
        page.load(lambda: predictions, None, widgets)
    state = SessionState(page)
    values = run_coroutine(page.postprocess_data(page.fns[0], predictions, state))
    return values, [state[widget._id] is not widget for widget in widgets]


@pytest.mark.parametrize("predictions", [(gr.skip(), "<b>after</b>"), gr.skip(), (gr.Textbox(visible=False), "after")])
def test_the_values_are_those_of_gradio(predictions):
    assert convert(predictions)[0] == convert(predictions, kind=gr.Blocks)[0]


def test_the_value_of_a_single_output_is_that_of_gradio():
    assert convert("after", 1)[0] == convert("after", 1, gr.Blocks)[0]


@pytest.mark.parametrize(("predictions", "count"), [((gr.skip(), "after"), 2), (gr.skip(), 2), (gr.skip(), 1)])
def test_an_unchanged_widget_is_not_built_anew(predictions, count):
    assert not any(convert(predictions, count)[1])


def test_a_widget_that_changes_is_built_anew():
    assert convert((gr.skip(), gr.Textbox(visible=False)))[1] == [False, True]


def prepare(inputs: list[Any], kind: type[gr.Blocks] = AppBlocks) -> list[Any]:
    """Convert the values of a request to the arguments of a handler of four inputs."""
    with kind(analytics_enabled=False) as page:
        widgets = [gr.Radio(["a", "b"]), gr.Slider(0, 2), gr.File(), gr.Textbox()]
        page.load(lambda *values: None, widgets, None)
    return run_coroutine(page.preprocess_data(page.fns[0], inputs, SessionState(page)))


def test_the_arguments_are_those_of_gradio():
    values = ["a", 1.5, None, "text"]
    assert prepare(values) == prepare(values, gr.Blocks)


@pytest.mark.parametrize("values", [["c", 1.5, None, "text"], ["a", 1.5]])
def test_a_value_that_gradio_refuses_is_refused(values):
    errors = []
    for kind in (AppBlocks, gr.Blocks):
        with pytest.raises(Exception, match=r".") as caught:
            prepare(list(values), kind)
        errors.append(caught.type)
    assert errors[0] == errors[1]


def test_only_values_with_files_are_converted_in_another_thread(monkeypatch):
    converted = []

    async def run_sync(function, *values, limiter=None):
        converted.append(function.__self__)
        return function(*values)

    monkeypatch.setattr("anyio.to_thread.run_sync", run_sync)
    prepare(["a", 1.5, None, "text"])
    assert [type(widget) for widget in converted] == [gr.File]


@pytest.mark.parametrize(("sent", "taken"), [(2.77, 2.2), (-1, 0.0), (1.5, 1.5)])
def test_a_time_of_a_longer_file_is_the_end_of_a_shorter_one(sent, taken):
    with AppBlocks(analytics_enabled=False) as page:
        slider = gr.Slider(0, 2.2, 0, step=0.01, elem_id="time")
        page.load(lambda time: None, [slider], None)
    assert run_coroutine(page.preprocess_data(page.fns[0], [sent], SessionState(page))) == [taken]


def test_an_idle_queue_rarely_takes_the_lock_of_python():
    with AppBlocks(analytics_enabled=False) as page:
        page.queue()
    assert page._queue.sleep_when_free == QUEUE_INTERVAL
