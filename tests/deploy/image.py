"""Builds deploy/Containerfile on a fresh Debian root and starts it read-only: `make image`.

It needs root, debootstrap and buildah, and takes some minutes. No image is pulled: the base is made
from Debian's packages.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from paraph.sealing.encryption_key import new_encryption_key
from ports import reserve_ports

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/debian:bookworm-slim"
# The certificate authorities of this machine, for package indexes behind a private one.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
# In a mount namespace of its own: a read-only root, and a folder that the service may write to.
START = """
set -e
mount --bind {root} {root}
mkdir -p {root}/etc/paraph
install -o 10001 -m 0400 {settings} {root}/etc/paraph/paraph.toml
mount -o remount,ro,bind {root}
mount -t tmpfs -o uid=10001,gid=10001 none {root}/var/lib/paraph
mount -t tmpfs none {root}/tmp
mount -t proc none {root}/proc
exec chroot --userspec=10001:10001 {root} /usr/bin/env -i PATH=/opt/paraph/bin:/usr/bin:/bin \
    PARAPH_PUBLIC_BIND=127.0.0.1:{public} PARAPH_PRIVATE_BIND=127.0.0.1:{private} \
    /bin/sh -c 'cd /etc/paraph && ! touch /written 2>/dev/null && exec paraph serve'
"""


class Images:
    """buildah with a storage of its own, which the folder holds.

    Args:
        folder: for images and containers.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *arguments: str) -> str:
        """Run buildah; return its output."""
        places = ("--root", str(self._folder / "store"), "--runroot", str(self._folder / "run"))
        command = ["buildah", "--storage-driver", "vfs", *places, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def build(self, file: Path, context: Path, tag: str) -> None:
        """Build an image."""
        pip = self._folder / "pip.conf"
        pip.write_text("[global]\ncert = /run/authorities.crt\n", encoding="utf-8")
        mounts = (f"{AUTHORITIES}:/run/authorities.crt:ro", f"{pip}:/etc/pip.conf:ro")
        volumes = [word for one in mounts for word in ("--volume", one)]
        ignored = ("--ignorefile", str(ROOT / ".containerignore")) if context == ROOT else ()
        how = ("--isolation", "chroot", "--layers=false", *volumes, *ignored)
        self("build", *how, "--tag", tag, "--file", str(file), str(context))


def make_base(images: Images, folder: Path) -> None:
    """Make the base image from Debian's packages."""
    root, context = folder / "debian", folder / "base"
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", root], check=True)
    context.mkdir()
    subprocess.run(["tar", "-C", root, "-czf", context / "root.tgz", "."], check=True)
    file = context / "Containerfile"
    file.write_text("FROM scratch\nADD root.tgz /\n", encoding="utf-8")
    images.build(file, context, BASE)


def start(images: Images, folder: Path) -> None:
    """Start the image with a read-only root, and read its health."""
    root = images("mount", images("from", "paraph"))
    public, private = reserve_ports(2)
    settings = {
        "client_id": "tidemark-client",
        "client_secret": "k2PpL9vQz7xWm4Td",
        "webhook_secrets": ["zm-7hTq2LwX9fKd"],
        "encryption_keys": [new_encryption_key()],
        "public_url": "https://zoom.tidemark.example",
        "database_url": "sqlite:////var/lib/paraph/paraph.db",
        "linking": "none",
        "drain_seconds": 0,
    }
    file = folder / "paraph.toml"
    lines = (f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    file.write_text("".join(lines), encoding="utf-8")
    script = START.format(root=root, settings=file, public=public, private=private)
    process = subprocess.Popen(["unshare", "--mount", "sh", "-c", script])
    try:
        print("health:", wait_for_health(f"http://127.0.0.1:{public}/healthz", process))
    finally:
        process.terminate()
        print("exit code after SIGTERM:", process.wait(timeout=60))


def wait_for_health(url: str, process: subprocess.Popen[bytes]) -> str:
    """Return the response of the health check, once there is one."""
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            time.sleep(0.2)
    raise SystemExit("The image does not serve /healthz.")


def main() -> None:
    """Build and start the image in a temporary folder."""
    missing = [name for name in ("buildah", "debootstrap", "unshare") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        sys.exit(f"make image needs root, and these programs: {', '.join(missing) or 'all found'}")
    with tempfile.TemporaryDirectory(prefix="paraph-image-") as name:
        folder = Path(name)
        images = Images(folder)
        try:
            make_base(images, folder)
            images.build(ROOT / "deploy" / "Containerfile", ROOT, "paraph")
            start(images, folder)
        finally:
            images("rm", "--all")


if __name__ == "__main__":
    main()
