"""The browser of a machine is opened where it has one with windows."""

from __future__ import annotations

import sys
import webbrowser

import pytest

from asccl.ui.address import open_browser


@pytest.mark.parametrize(("display", "opened"), [(":0", ["http://127.0.0.1:7860/"]), ("", [])])
def test_a_browser_is_opened_only_where_there_are_windows(monkeypatch, display, opened):
    urls: list[str] = []

    def open_url(url: str) -> bool:
        urls.append(url)
        return True

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(webbrowser, "open", open_url)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert open_browser("http://127.0.0.1:7860/") == bool(opened)
    assert urls == opened
