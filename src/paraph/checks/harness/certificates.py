"""Throw-away certificates, among them such that clients must refuse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain and its key, as PEM files."""

    chain: Path
    key: Path


class CertificateAuthority:
    """Issues server certificates and stores them as files.

    Args:
        folder: the folder for the files; it is created.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self._count = 0
        self.file = folder / "ca.pem"
        folder.mkdir(parents=True, exist_ok=True)
        self._authority.cert_pem.write_to_path(self.file)

    def issue(self, *names: str, expired: bool = False, unknown: bool = False) -> Certificate:
        """Issue a server certificate.

        Args:
            names: the host names and addresses that it is valid for.
            expired: let it expire a day ago; clients must refuse it.
            unknown: let another authority issue it, whose self-signed certificate is sent with it;
                clients must refuse it.
        """
        authority = trustme.CA() if unknown else self._authority
        until = datetime.now(tz=UTC) - timedelta(days=1) if expired else None
        issued = authority.issue_cert(*names, not_after=until)
        self._count += 1
        chain, key = (self._folder / f"{self._count}{suffix}" for suffix in (".pem", ".key"))
        blobs = [*issued.cert_chain_pems, *([authority.cert_pem] if unknown else [])]
        chain.write_bytes(b"".join(blob.bytes() for blob in blobs))
        key.touch(mode=0o600)
        issued.private_key_pem.write_to_path(key)
        return Certificate(chain, key)
