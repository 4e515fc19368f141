"""Neither signing nor inspecting fetches anything, whatever addresses a manifest or a certificate names."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from signing import sign_copy

from asccl.provenance import library
from asccl.provenance.identity import load_identity
from asccl.provenance.inspection import inspect_file
from asccl.provenance.library import create_context, load_library

pytest.importorskip("c2pa", reason="the library of signatures is not installed")


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    """A server that refuses all requests. requests: what it was asked for."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.requests.append(self.path)
            self.send_error(404)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.requests = []
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def address(server: http.server.ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}/"


@pytest.fixture
def own_certificate(server: http.server.ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate of the user that names an address for questions about its revocation (OCSP)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in ("root", "signer")}
    chain = b""
    for name in ("signer", "root"):
        is_root, now = name == "root", datetime.now(UTC)
        builder = x509.CertificateBuilder(
            x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "root")]),
            x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name)]),
            keys[name].public_key(),
            x509.random_serial_number(),
            now - timedelta(days=1),
            now + timedelta(days=30),
        )
        usage = x509.KeyUsage(not is_root, False, False, False, False, is_root, is_root, False, False)
        builder = builder.add_extension(x509.BasicConstraints(is_root, None), True).add_extension(usage, True)
        if not is_root:
            purpose = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys["root"].public_key())
            place = x509.UniformResourceIdentifier(address(server) + "ocsp")
            access = x509.AccessDescription(x509.oid.AuthorityInformationAccessOID.OCSP, place)
            for extension in (purpose, identifier, x509.AuthorityInformationAccess([access])):
                builder = builder.add_extension(extension, False)
        chain += builder.sign(keys["root"], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    key = keys["signer"].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for variable, data in (("ASCCL_C2PA_CERT", chain), ("ASCCL_C2PA_KEY", key)):
        (tmp_path / variable).write_bytes(data)
        monkeypatch.setenv(variable, str(tmp_path / variable))


def write_remote(source: Path, target: Path, url: str) -> None:
    """Copy a still whose manifest lies elsewhere."""
    c2pa, identity = load_library(), load_identity()
    algorithm = c2pa.C2paSigningAlg[identity.algorithm]
    information = c2pa.C2paSignerInfo(algorithm, identity.chain.encode(), identity.key.encode(), None)
    definition: dict[str, Any] = {"claim_generator_info": [{"name": "x", "version": "1"}], "assertions": []}
    with (
        c2pa.Signer.from_info(information) as signer,
        create_context() as context,
        c2pa.Builder(definition, context=context) as builder,
        source.open("rb") as unsigned,
        target.open("w+b") as signed,
    ):
        builder.set_no_embed()
        builder.set_remote_url(url)
        builder.sign(signer, "image/png", unsigned, signed)


def allow(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    verify = library.C2PA_SETTINGS["verify"] | {entry: True}
    monkeypatch.setattr(library, "C2PA_SETTINGS", library.C2PA_SETTINGS | {"verify": verify})


@pytest.mark.parametrize("is_allowed", [False, True])
def test_a_manifest_that_lies_elsewhere_is_not_fetched(
    still: Path,
    server: http.server.ThreadingHTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_allowed: bool,
) -> None:
    write_remote(still, tmp_path / "remote.png", address(server) + "manifest.c2pa")
    if is_allowed:  # the library would fetch it: the test can fail
        allow(monkeypatch, "remote_manifest_fetch")
    assert inspect_file(tmp_path / "remote.png").signature.state == "unreadable"
    assert bool(server.requests) is is_allowed


@pytest.mark.parametrize("is_allowed", [False, True])
def test_nobody_is_asked_whether_a_certificate_was_revoked(
    still: Path,
    server: http.server.ThreadingHTTPServer,
    own_certificate: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_allowed: bool,
) -> None:
    if is_allowed:
        allow(monkeypatch, "ocsp_fetch")
    assert sign_copy(still, tmp_path / "signed.png")["certificate"] == "own"
    assert inspect_file(tmp_path / "signed.png").signature.state == "valid"
    assert bool(server.requests) is is_allowed
