"""Throw-away certificates, verified as a client does it."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from paraph.checks.harness.certificates import Certificate, CertificateAuthority


def shake_hands(authority: CertificateAuthority, certificate: Certificate) -> None:
    """Make a TLS handshake in memory; the client trusts the authority and wants `localhost`."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate.chain, certificate.key)
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(one, other, server_side=True)
    trusting = ssl.create_default_context(cafile=str(authority.file))
    client = trusting.wrap_bio(other, one, server_hostname="localhost")
    for side in (client, server, client):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert client.version() is not None


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    """An authority with an empty folder."""
    return CertificateAuthority(tmp_path / "certificates")


def test_an_issued_certificate_is_accepted(authority: CertificateAuthority) -> None:
    """A client that trusts the authority accepts a certificate for the right host."""
    shake_hands(authority, authority.issue("localhost", "127.0.0.1"))


def test_the_key_is_readable_by_its_owner_alone(authority: CertificateAuthority) -> None:
    """The file of a private key has mode 600."""
    assert 0o600 == authority.issue("localhost").key.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("name", "expired", "unknown", "reason"),
    [
        ("localhost", True, False, "expired"),
        ("localhost", False, True, "self-signed"),
        ("other.example", False, False, "mismatch"),
    ],
)
def test_a_bad_certificate_is_refused(
    name: str, *, expired: bool, unknown: bool, reason: str, authority: CertificateAuthority
) -> None:
    """A client that verifies certificates refuses each for its one reason."""
    certificate = authority.issue(name, expired=expired, unknown=unknown)
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        shake_hands(authority, certificate)
