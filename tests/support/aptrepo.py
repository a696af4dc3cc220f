# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A signed apt repository made of a few packages, for vendors that cannot be reached.

The packages may be the vendor's own, put into ``artifacts/``, or stand-ins. Roles install from
it with the code they always use: a deb822 source, a keyring, a fingerprint.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.lab.machine import Machine
from tools.lab.vm import VirtualMachine

SECONDS = 120


@dataclass(frozen=True)
class Signer:
    """A signing key of its own, in a folder that nothing else uses."""

    home: Path

    def make(self, name: str = "Archipel tests") -> None:
        """Make the key, once."""
        if (self.home / "pubring.kbx").exists():
            return
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._gpg("--passphrase", "", "--quick-generate-key", name, "rsa2048", "sign", "never")

    def public(self) -> str:
        """Return the public key, with armour."""
        return self._gpg("--armor", "--export")

    def fingerprint(self) -> str:
        """Return the key's fingerprint."""
        rows = [line.split(":") for line in self._gpg("--with-colons", "--list-keys").splitlines()]
        return next(row[9] for row in rows if row[0] == "fpr")

    def sign(self, text: str) -> str:
        """Return a text with the signature round it."""
        return self._gpg("--clearsign", stdin=text)

    def _gpg(self, *arguments: str, stdin: str = "") -> str:
        # A socket's path must be short; the agent ends with its folder.
        with tempfile.TemporaryDirectory(prefix="gpg-") as short:
            link = Path(short) / "home"
            link.symlink_to(self.home.resolve())
            environment = {**os.environ, "GNUPGHOME": str(link)}
            options = ("--batch", "--yes", "--pinentry-mode", "loopback")
            done = subprocess.run(
                ["gpg", *options, *arguments],
                env=environment,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=True,
            )
            subprocess.run(
                ["gpgconf", "--kill", "all"], env=environment, timeout=SECONDS, check=False
            )
        return done.stdout


def kept(home: Path) -> Signer:
    """Return the key of a folder, made if there is none."""
    found = Signer(home)
    found.make()
    return found


def build_package(tree: Mapping[str, tuple[str, int]], target: Path) -> Path:
    """Build a Debian package of files: path → (content, mode); control files under DEBIAN/."""
    with tempfile.TemporaryDirectory(prefix="deb-") as place:
        root = Path(place) / "root"
        for path, (content, mode) in sorted(tree.items()):
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
            file.chmod(mode)
        for folder in [root, *(p for p in root.rglob("*") if p.is_dir())]:
            folder.chmod(0o755)
        target.parent.mkdir(parents=True, exist_ok=True)
        options = ["--root-owner-group", "-Zgzip", "-z1", "--build"]
        command = ["dpkg-deb", *options, str(root), str(target)]
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    return target


def make(
    folder: Path, packages: Iterable[Path], signer: Signer, suite: str, component: str = "main"
) -> Path:
    """Make the repository: pool and signed lists of one suite; return its folder."""
    pool = folder / "pool"
    pool.mkdir(parents=True, exist_ok=True)
    entries = []
    for package in packages:
        place = pool / package.name
        if package.resolve() != place.resolve():
            place.unlink(missing_ok=True)
            os.link(package, place) if _same_disk(package, pool) else _copy(package, place)
        entries.append(_entry(place, f"pool/{package.name}"))
    lists = {
        f"{component}/binary-{arch}/Packages{end}": data
        for arch in ("amd64", "all")
        for end, data in _both("\n".join(entries).encode())
    }
    dists = folder / "dists" / suite
    for path, data in lists.items():
        (dists / path).parent.mkdir(parents=True, exist_ok=True)
        (dists / path).write_bytes(data)
    release = _release(suite, component, lists)
    (dists / "InRelease").write_text(signer.sign(release), encoding="utf-8")
    return folder


def publish(
    machine: Machine | VirtualMachine,
    place: str,
    folder: Path,
    packages: Iterable[Path],
    signer: Signer,
    suite: str,
) -> None:
    """Make the repository anew in a folder here, and put it in its place on a machine."""
    shutil.rmtree(folder, ignore_errors=True)
    make(folder, packages, signer, suite)
    machine.execute("rm", "-rf", place)
    config = str(machine.ssh_config)
    copy = ["scp", "-q", "-r", "-F", config, str(folder), f"{machine.name}:{place}"]
    subprocess.run(copy, check=True, capture_output=True, timeout=300)
    machine.execute("chmod", "-R", "a+rX", place)


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def _copy(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())


def _both(data: bytes) -> list[tuple[str, bytes]]:
    return [("", data), (".gz", gzip.compress(data, mtime=0))]


def _entry(package: Path, name: str) -> str:
    """Return what the list says of a package."""
    control = subprocess.run(
        ["dpkg-deb", "--field", package],
        check=True,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    ).stdout.strip()
    data = package.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return f"{control}\nFilename: {name}\nSize: {len(data)}\nSHA256: {digest}\n"


def _release(suite: str, component: str, lists: Mapping[str, bytes]) -> str:
    rows = [f" {hashlib.sha256(d).hexdigest()} {len(d)} {path}" for path, d in lists.items()]
    return "\n".join(
        [
            "Origin: Archipel tests",
            f"Suite: {suite}",
            f"Codename: {suite}",
            "Date: Thu, 01 Jan 2026 00:00:00 UTC",
            "Architectures: amd64 all",
            f"Components: {component}",
            "SHA256:",
            *rows,
            "",
        ]
    )
