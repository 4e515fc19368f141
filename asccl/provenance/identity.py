"""The certificate and the private key that manifests are signed with.

Without settings, both are made on the machine at first use and kept in the user's configuration folder. Nobody vouches
for such a certificate: it shows that a file is unchanged since the edit, not who edited it. `ASCCL_C2PA_CERT` and
`ASCCL_C2PA_KEY` name a certificate that somebody does vouch for.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asccl.errors import OutputError, ProvenanceError, SettingError
from asccl.files import AtomicFile

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

CERTIFICATE_VARIABLE, KEY_VARIABLE = "ASCCL_C2PA_CERT", "ASCCL_C2PA_KEY"
IDENTITY_FILE = "c2pa-signing.pem"
SELF_MADE_ISSUER = "ASCCL self-made certificate (untrusted)"
VALIDITY = timedelta(days=20 * 365)  # a signature without a time stamp holds as long as its certificate
CLOCK_TOLERANCE = timedelta(days=1)  # of machines that check the file
CURVE_ALGORITHMS = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

IdentityKind = Literal["own", "machine", "temporary"]


@dataclass(frozen=True)
class SigningIdentity:
    """A private key and its certificates.

    Attributes:
        chain: certificates in PEM, that of the signer first.
        key: private key in PEM (PKCS8).
        algorithm: of the signature: ES256, ES384, ES512, PS256 or ED25519.
        kind: "own" is the user's, "machine" was made on this machine and kept, "temporary" ends with the process.
        note: why the identity is temporary; empty for others.
    """

    chain: str
    key: str
    algorithm: str
    kind: IdentityKind
    note: str = ""

    @property
    def trust_anchor(self) -> str:
        """The last certificate of the chain, in PEM."""
        return self.chain[self.chain.rindex("-----BEGIN CERTIFICATE") :]


def load_identity() -> SigningIdentity:
    """Return the user's own identity, else that of this machine, which is made at first use.

    Where it cannot be kept, for instance in a home that may only be read, the identity is temporary.

    Raises:
        SettingError: the user's own certificate or key cannot be used.
        ProvenanceError: the package `cryptography` is missing.
    """
    if (own := _load_own()) is not None:
        return own
    try:
        path = identity_path()
        if (kept := _read_kept(path)) is not None:
            return kept
        _write_private(path, _make_identity("machine"))
        return _read_kept(path) or _temporary_identity(f"{path} cannot be read again")
    except OutputError as error:
        return _temporary_identity(error.problem)
    except (OSError, RuntimeError) as error:  # a home that does not exist, or a file that belongs to somebody else
        return _temporary_identity(f"the certificate of this machine cannot be kept ({error})")


def known_identity() -> SigningIdentity | None:
    """Return the identity that this machine signs with, without making one. Raises the errors of `load_identity`."""
    if (own := _load_own()) is not None:
        return own
    try:
        return _read_kept(identity_path())
    except (OSError, RuntimeError):
        return None


def identity_path() -> Path:
    """The file that keeps the key of this machine. Raises RuntimeError where the user has no home."""
    from platformdirs import user_config_path

    folder = user_config_path("asccl", appauthor=False)
    if not folder.is_absolute():
        raise RuntimeError("this user has no home folder")
    return folder / IDENTITY_FILE


def _load_own() -> SigningIdentity | None:
    names = [os.environ.get(variable, "") for variable in (CERTIFICATE_VARIABLE, KEY_VARIABLE)]
    if not any(names):
        return None
    if not all(names):
        missing = KEY_VARIABLE if names[0] else CERTIFICATE_VARIABLE
        raise SettingError(f"{missing} is not set", f"set {CERTIFICATE_VARIABLE} and {KEY_VARIABLE}, or neither")
    texts = []
    for variable, name in zip((CERTIFICATE_VARIABLE, KEY_VARIABLE), names, strict=True):
        try:
            texts.append(Path(name).read_text(encoding="ascii"))
        except (OSError, UnicodeError) as error:
            raise SettingError(f"{variable} names {name}, which cannot be read", "give a file in PEM") from error
    try:
        return _parse(texts[0], texts[1], "own")
    except (ValueError, TypeError) as error:
        raise SettingError(
            f"{CERTIFICATE_VARIABLE} and {KEY_VARIABLE} cannot be used ({error})",
            "give a certificate chain and its key without a password, both in PEM",
        ) from error


def _read_kept(path: Path) -> SigningIdentity | None:
    """Read the identity of this machine; None where there is none, or it is damaged or has expired."""
    try:
        text = path.read_text(encoding="ascii")
        return _parse(text, text, "machine")
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _parse(chain: str, key: str, kind: IdentityKind) -> SigningIdentity:
    """Read PEM texts, which may hold more than is needed. Raises ValueError or TypeError."""
    x509, serialization = _import_cryptography()
    certificates = x509.load_pem_x509_certificates(chain.encode())
    private_key = serialization.load_pem_private_key(key.encode(), None)
    if private_key.public_key() != certificates[0].public_key():
        raise ValueError("the key is not that of the first certificate")
    if certificates[0].not_valid_after_utc < datetime.now(UTC):
        raise ValueError("the certificate has expired")
    return SigningIdentity(_to_pem(certificates), _key_to_pem(private_key), _algorithm(private_key), kind)


def _algorithm(key: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    if isinstance(key, EllipticCurvePrivateKey) and key.curve.name in CURVE_ALGORITHMS:
        return CURVE_ALGORITHMS[key.curve.name]
    if isinstance(key, RSAPrivateKey):
        return "PS256"
    if isinstance(key, Ed25519PrivateKey):
        return "ED25519"
    raise ValueError("C2PA has no algorithm for keys of this kind")


@cache
def _temporary_identity(note: str) -> SigningIdentity:
    return _make_identity("temporary", note)


def _make_identity(kind: IdentityKind, note: str = "") -> SigningIdentity:
    """Make a key and a certificate as C2PA demands them: not self-signed, but by a root whose key is thrown away."""
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain = _to_pem([_make_certificate(key, root_key), _make_certificate(root_key, root_key)])
    return SigningIdentity(chain, _key_to_pem(key), "ES256", kind, note)


def _make_certificate(key: Any, root_key: Any) -> Certificate:
    """Make the certificate of a key, signed by the root; it names no person and no machine."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    is_root, now = key is root_key, datetime.now(UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name("root" if is_root else "signer"))
        .issuer_name(_name("root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.BasicConstraints(is_root, 0 if is_root else None), True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, decipher_only=False, **usage
            ),
            True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )
    if not is_root:
        purpose = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])  # what C2PA accepts
        root_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
        builder = builder.add_extension(purpose, False).add_extension(root_identifier, False)
    return builder.sign(root_key, hashes.SHA256())


def _name(role: str) -> Any:
    from cryptography import x509

    attributes = {x509.NameOID.ORGANIZATION_NAME: SELF_MADE_ISSUER, x509.NameOID.COMMON_NAME: f"ASCCL {role}"}
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes.items()])


def _write_private(path: Path, identity: SigningIdentity) -> None:
    """Write a file that only its owner may read. Raises OutputError or OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with AtomicFile(path, permissions=0o600) as file:
        file.temporary_path.write_text(identity.key + identity.chain, encoding="ascii")


def _to_pem(certificates: Sequence[Certificate]) -> str:
    _, serialization = _import_cryptography()
    return "".join(item.public_bytes(serialization.Encoding.PEM).decode() for item in certificates)


def _key_to_pem(key: Any) -> str:
    _, serialization = _import_cryptography()
    private_format, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, private_format, encryption).decode()


def _import_cryptography() -> tuple[Any, Any]:
    """The modules x509 and serialization. Raises ProvenanceError."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
    except ImportError as error:
        raise ProvenanceError(
            "the package cryptography is missing", "install it with `pip install cryptography`"
        ) from error
    return x509, serialization
