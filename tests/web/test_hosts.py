"""Which names a server answers to, and which proxies it believes."""

from __future__ import annotations

import os

import pytest

from asccl.web.hosts import (
    HOSTS_VARIABLE,
    PROXY_VARIABLE,
    SPACE_PROXIES,
    is_trusted_host,
    trust_known_proxies,
    trusted_names,
)


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "127.0.0.1:7860", "[::1]:7860", "192.168.1.7:7860"])
def test_loopback_names_and_numeric_addresses_are_trusted(host):
    assert is_trusted_host(host, trusted_names())


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example:7860", "", "[::1", "a@b:c"])
def test_other_names_are_not_trusted(host):
    assert not is_trusted_host(host, trusted_names())


@pytest.mark.parametrize("host", ["lab.example.org", "LAB.example.org:443", "a.studies.example.org"])
def test_the_owner_can_add_names(monkeypatch, host):
    monkeypatch.setenv(HOSTS_VARIABLE, "lab.example.org, *.studies.example.org")
    assert is_trusted_host(host, trusted_names())


def test_a_wildcard_is_no_suffix_of_another_name(monkeypatch):
    monkeypatch.setenv(HOSTS_VARIABLE, "*.example.org")
    assert not is_trusted_host("evilexample.org", trusted_names())


def test_a_space_answers_to_its_own_name(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "owner/name")
    monkeypatch.setenv("SPACE_HOST", "owner-name.hf.space")
    assert is_trusted_host("owner-name.hf.space", trusted_names())


@pytest.mark.parametrize(("space", "proxies"), [(False, ""), (True, SPACE_PROXIES)])
def test_no_proxy_is_believed_unless_it_is_known(monkeypatch, space, proxies):
    monkeypatch.setattr(os, "environ", {"SPACE_ID": "owner/name"} if space else {})
    trust_known_proxies()
    assert os.environ[PROXY_VARIABLE] == proxies
