"""A throw-away certificate authority. It also issues certificates that clients must refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from paraph.checks.harness.listener import Certificate

_DAY = timedelta(days=1)


class CertificateAuthority:
    """Issues certificates under one root and stores them as files in a folder.

    Args:
        folder: where the files are stored; created with the first file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.file = folder / "ca.pem"
        self._key: ec.EllipticCurvePrivateKey | None = None
        self._root: x509.Certificate | None = None

    def prepare(self) -> None:
        """Create the root certificate."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._root = self._sign("Throw-away authority of a check", [], self._key, root=True)
        self.file.write_bytes(self._root.public_bytes(serialization.Encoding.PEM))

    def issue(self, *names: str, expired: bool = False, self_signed: bool = False) -> Certificate:
        """Issue a server certificate.

        Args:
            names: the host names it is valid for.
            expired: make its validity end in the past; clients must refuse it.
            self_signed: sign it with its own key; clients must refuse it.
        """
        if self._key is None:
            self.prepare()
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._sign(names[0], list(names), key, expired=expired, self_signed=self_signed)
        stem = self._folder / f"{names[0]}-{made.serial_number:x}"
        chain, private = stem.with_suffix(".pem"), stem.with_suffix(".key")
        chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        private.touch(mode=0o600)
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Certificate(chain, private)

    def _sign(
        self,
        name: str,
        hosts: list[str],
        key: ec.EllipticCurvePrivateKey,
        *,
        root: bool = False,
        expired: bool = False,
        self_signed: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(tz=UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = root or self_signed
        issuer = subject if own or self._root is None else self._root.subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 3 * _DAY)
            .not_valid_after(now - _DAY if expired else now + 3 * _DAY)
            .add_extension(x509.BasicConstraints(ca=root, path_length=None), critical=True)
        )
        if hosts:
            names = [x509.DNSName(host) for host in hosts]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(usage, critical=False)
        signer = key if own or self._key is None else self._key
        return builder.sign(signer, hashes.SHA256())
