"""The stream by which the page hears of its work."""

from __future__ import annotations

import pytest
from visitor import Visitor

pytestmark = pytest.mark.browser

SLOW_END = """
  // A connection on which the end of the first stream arrives late: once `arrive` is called.
  const send = window.fetch;
  window.joins = 0;
  const arrival = new Promise((resolve) => (window.arrive = resolve));
  const decoder = new TextDecoder();
  const late = () => new TransformStream({
    async transform(piece, controller) {
      if (decoder.decode(piece).includes("close_stream")) {
        window.isEnding = true;
        await arrival;
      }
      controller.enqueue(piece);
    },
  });
  window.fetch = async (request, options) => {
    const response = await send(request, options);
    const url = request.url ?? String(request);
    if (url.includes("/queue/join")) window.joins += 1;
    return url.includes("/queue/data") ? new Response(response.body.pipeThrough(late()), response) : response;
  };
"""


@pytest.fixture
def slow_person(shared_page, chromium):
    """Somebody who has not yet received the end of the stream by which the page asked for an edit to resume."""
    visitor = Visitor(chromium, shared_page.url, script=SLOW_END)
    visitor.page.wait_for_function("() => window.isEnding")
    yield visitor
    visitor.close()
    assert visitor.errors == []


def test_work_is_heard_of_that_was_asked_for_while_a_stream_ended(slow_person, media):
    before = slow_person.page.evaluate("() => window.joins")
    slow_person.upload(media / "talk.mp4")
    slow_person.page.wait_for_function("before => window.joins > before", arg=before)
    slow_person.page.evaluate("() => setTimeout(window.arrive, 500)")  # after Gradio could read the answer
    slow_person.page.wait_for_selector("#compare img")


DEAF_SIGNALS = "AbortSignal.prototype.addEventListener = () => {};  // as if each stream ended before it was aborted"


def test_work_is_heard_of_after_a_stream_whose_abort_was_not(shared_page, chromium, media):
    visitor = Visitor(chromium, shared_page.url, script=DEAF_SIGNALS)
    for name in ("talk.mp4", "face.jpg"):
        visitor.upload(media / name)
        visitor.page.wait_for_selector(f"#source-card:has-text('{name}')")
    visitor.page.wait_for_selector("#compare img")
    visitor.close()
    assert visitor.errors == []
