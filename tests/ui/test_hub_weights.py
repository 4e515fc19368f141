"""The choice "From the Hub" of the app."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from coroutines import run_coroutine
from hub_account import HubAccount, serve_account, use_account
from huggingface_hub import constants

from asccl import hub
from asccl.analysis.metric_variants import load_variants
from asccl.analysis.settings import AnalysisSettings
from asccl.errors import LimitError, SettingError, WeightsError
from asccl.nets.ned_manipulator import Manipulator, ManipulatorSizes
from asccl.ui import hub_download
from asccl.ui.hub_download import download_weights
from asccl.ui.hub_weights import (
    FOR_COMPARISONS,
    FOR_EDITS,
    Purpose,
    check_metric,
    choose,
    generator_fields,
    load_repositories,
)
from asccl.ui.places import Caller, Places


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubAccount]:
    """A Hub with a manipulator in someone/ned, public, and in someone/secret, private."""
    with serve_account() as server:
        use_account(monkeypatch, server, tmp_path / "cache")
        monkeypatch.setattr(hub_download, "POLL_INTERVAL", 0.0)
        for name, private in (("ned", False), ("secret", True)):
            Manipulator(ManipulatorSizes(width=8)).push_to_hub(f"someone/{name}", private=private)
        yield server


def load(repositories: str, purpose: Purpose = FOR_EDITS) -> list[tuple]:
    async def collect() -> list[tuple]:
        return [values async for values in load_repositories(repositories, Caller("a", "b"), Places(1, 1, 1), purpose)]

    return run_coroutine(collect())


def test_a_repository_is_downloaded_pinned_and_used(account: HubAccount) -> None:
    values = load("someone/ned")
    status, loaded = values[-1]
    commit = account.repositories["models/someone/ned"].head
    assert f"a manipulator of NED, someone/ned@{commit[:7]}, " in status
    assert "Downloading someone/ned" in values[0][0]
    radio = choose([("Presets", "warp")], loaded, FOR_EDITS)
    assert radio.choices[-1] == ("From the Hub: someone/ned", f"ned someone/ned@{commit}:model.safetensors")
    fields = generator_fields(radio.value)
    assert (fields["generator"], fields["manipulator"].name) == ("ned", "model.safetensors")


def test_the_progress_of_a_download_is_reported(account: HubAccount) -> None:
    shares: list[float] = []
    download_weights("someone/ned", FOR_EDITS.kinds, shares.append)
    assert shares[-1] == pytest.approx(1.0)


def test_a_private_repository_is_not_read_with_the_token_of_the_server(account: HubAccount) -> None:
    with pytest.raises(WeightsError, match=r"there is no public model\.safetensors of someone/secret"):
        download_weights("someone/secret", FOR_EDITS.kinds, print)


def test_offline_a_cached_repository_loads_and_another_says_so(
    account: HubAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    download_weights("someone/ned", FOR_EDITS.kinds, print)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert download_weights("someone/ned", FOR_EDITS.kinds, print).kind == "ned-manipulator"
    assert "is not on this machine and the Hub cannot be reached" in load("someone/other")[-1][0]


def test_a_file_that_is_too_large_is_refused_before_it_is_downloaded(
    account: HubAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_download, "MAX_BYTES", 1000)
    with pytest.raises(LimitError, match="the app takes"):
        download_weights("someone/ned", FOR_EDITS.kinds, print)
    assert not any(line.startswith("GET /someone/ned/resolve") for line in account.requests)


def test_downloads_leave_space_on_the_disk(account: HubAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_download, "MIN_FREE_BYTES", 2**60)
    with pytest.raises(LimitError, match="has no space for further weights"):
        download_weights("someone/ned", FOR_EDITS.kinds, print)


def test_what_is_not_downloaded_is_not_used(account: HubAccount) -> None:
    commit = account.repositories["models/someone/ned"].head
    with pytest.raises(WeightsError, match="is not on this machine"):
        generator_fields(f"ned someone/ned@{commit}:model.safetensors")


def test_names_and_kinds_are_checked(account: HubAccount) -> None:
    with pytest.raises(SettingError, match="write OWNER/NAME"):
        download_weights("ned", FOR_EDITS.kinds, print)
    account.add("models/someone/text", {"model.safetensors": b"?" * 100})
    with pytest.raises(WeightsError, match="is not a complete safetensors file"):
        download_weights("someone/text", FOR_EDITS.kinds, print)
    assert "do not work together" in load("someone/ned, someone/ned")[-1][0]


def test_what_is_on_the_disk_of_the_server_cannot_be_named(account: HubAccount, tmp_path: Path) -> None:
    Manipulator(ManipulatorSizes(width=8)).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="is not a file of a Hub repository at a commit"):
        generator_fields(f"ned {tmp_path / 'model.safetensors'}")


def test_a_comparison_takes_a_metric_and_no_generator(account: HubAccount) -> None:
    account.add("models/someone/scc", {"model.safetensors": hub.locate("scc-mobilefacenet").read_bytes()})
    status, loaded = load("someone/scc", FOR_COMPARISONS)[-1]
    assert "Loaded an SCC metric, someone/scc@" in status
    radio = choose([("Bundled", "scc-mobilefacenet")], loaded, FOR_COMPARISONS)
    assert check_metric(radio.value) == radio.value == loaded[0].source
    assert "has weights of the kind ned-manipulator: name an SCC metric" in load("someone/ned", FOR_COMPARISONS)[-1][0]
    assert "A comparison uses one metric" in load("someone/scc, someone/scc", FOR_COMPARISONS)[-1][0]


def test_a_comparison_loads_the_metric_without_asking_the_hub_again(
    account: HubAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.add("models/someone/scc", {"model.safetensors": hub.locate("scc-mobilefacenet").read_bytes()})
    source = load("someone/scc", FOR_COMPARISONS)[-1][1][0].source
    requests = len(account.requests)
    settings = AnalysisSettings(metric=check_metric(source))
    assert load_variants(settings.metric)[0].heads == "trained"
    assert len(account.requests) == requests


@pytest.mark.parametrize("metric", ["mobilefacenet-arcface", "someone/scc", "/etc/passwd", ""])
def test_a_comparison_takes_no_other_metric(account: HubAccount, metric: str) -> None:
    with pytest.raises(WeightsError, match="load it first"):
        check_metric(metric)


def test_no_name_removes_the_weights() -> None:
    assert load(" ")[-1][1] == []
    assert choose([("Presets", "warp")], [], FOR_EDITS).value == "warp"
    assert generator_fields("warp") == {"generator": "warp"}


@pytest.mark.browser
def test_a_visitor_loads_weights_and_edits_with_them(account: HubAccount, serve_page, media, visit) -> None:
    served = serve_page()
    person = visit(served.url, viewport={"width": 1280, "height": 1000})
    person.page.click("#advanced > button")
    person.page.fill("#hub-repositories input, #hub-repositories textarea", "someone/ned")
    person.page.click("#hub-load")
    person.page.wait_for_selector("#generator label:has-text('From the Hub: someone/ned') input:checked")
    assert "Loaded a manipulator of NED, someone/ned@" in person.text("#hub-status")
    person.upload_and_wait(media / "talk.mp4")
    person.render()
    person.page.wait_for_selector("#player video")
    assert {request.generator for request in served.editor.requests} == {"ned"}
    assert all(request.manipulator.name == "model.safetensors" for request in served.editor.requests)
