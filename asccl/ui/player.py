"""The player of a result: two videos with one set of controls, beside each other, wiped, or one alone."""

from __future__ import annotations

from typing import Any

import gradio as gr

from asccl.ui.components import html_widget, read_script

PLAYER_TEMPLATE = """${value ? `
<div class="player" data-part="player" tabindex="0" role="group" aria-label="${value.labels[0]} and ${value.labels[1]}">
  <div class="player-videos">${["source", "edited"].map((name, n) => `
    <figure><video data-part="${name}" src="${value[name].url}" ${n ? "" : "muted"} playsinline preload="auto"></video>
      <figcaption>${value.labels[n]}</figcaption>
      <p>Your browser cannot show this video, or it was deleted after an hour.</p></figure>`).join("")}
    <span class="compare-line"><span></span></span>
    <input type="range" data-part="wipe" min="0" max="100" step="0.5" value="50"
      aria-label="Wipe: percentage of the picture that shows ${value.labels[0]}">
  </div>
  <div class="player-bar">
    <button type="button" data-part="play" data-state="paused" aria-label="Play"></button>
    <div class="player-track"><i data-part="span" title="The edited part" style="${value.span
      ? `left: ${100 * value.span[0]}%; right: ${100 - 100 * value.span[1]}%` : "display: none"}"></i>
    <input type="range" data-part="seek" min="0" max="1000" step="1" value="0" aria-label="Position in the video"></div>
    <span data-part="clock" class="player-clock">0:00.0</span>
    <span class="player-views" role="group" aria-label="View">${
      [["both", "Both"], ["wipe", "Wipe"], ["source", value.labels[0]], ["edited", value.labels[1]]].map(
        ([view, text]) => `<button type="button" data-view="${view}" title="${text}">${text}</button>`).join("")}</span>
    <button type="button" data-part="loop" class="player-text" aria-pressed="true">Loop</button>
    <button type="button" data-part="speed" class="player-text" title="Speed" aria-label="Change the speed">1×</button>
    <button type="button" data-part="sound" data-state="on" aria-label="Turn the sound off"></button>
    <button type="button" data-part="fullscreen" aria-label="Full screen"></button>
  </div>
</div>` : ""}"""


def video_player(**settings: Any) -> gr.HTML:
    """Build a widget that plays two videos in step.

    Args:
        settings: arguments of `gr.HTML`.

    Returns:
        The widget. Its value is None or has the files `source` and `edited` with their `url`, the two `labels`, and
        `span`: start and end of the edited part as shares of the video, None for all of it.
    """
    return html_widget(html_template=PLAYER_TEMPLATE, js_on_load=read_script("player"), **settings)
