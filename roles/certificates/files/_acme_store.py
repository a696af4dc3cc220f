# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Certificates on the node: when they end, and how a new one takes the place of the old.

Each order has a folder of its own, and a name is a link to one of them: nobody reads half of a
pair, and a node that loses its power in between has the old one or the new one.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

# A third of the lifetime is left when a certificate is due, and for each name up to so much more.
DUE, SPREAD = 1 / 3, 1 / 12
# Less than that is left: somebody has to look.
LATE = 1 / 6
DATES = "dates.json"
FILES = {"fullchain.pem": 0o644, "chain.pem": 0o644, "privkey.pem": 0o640}


@dataclass(frozen=True)
class Held:
    """From when until when a certificate is valid, seconds since 1970, and as what it came."""

    since: float
    until: float
    identity: str = ""

    def remaining(self, now: float) -> float:
        """Return which share of its lifetime is left; negative once it has ended. Pure."""
        return (self.until - now) / max(self.until - self.since, 1.0)


def share(name: str) -> float:
    """Return a number from 0 to 1 that is always the same for a name. Pure."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32


def identify(directory: str, domains: t.Iterable[str]) -> str:
    """Return what makes a certificate another one: who signs, and for which names. Pure."""
    return " ".join([directory, *sorted(domains)])


def is_due(name: str, identity: str, held: Held | None, now: float) -> bool:
    """Tell whether a certificate is to be ordered. Pure."""
    if held is None or held.identity != identity:
        return True
    return held.remaining(now) < DUE + share(name) * SPREAD


def is_late(held: Held, now: float) -> bool:
    """Tell whether so little is left that somebody has to look. Pure."""
    return held.remaining(now) < LATE


def parse_dates(text: str) -> Held:
    """Return the validity in what `openssl x509 -dates -dateopt iso_8601` says. Pure.

    Raises:
        ValueError: it says something else.

    """
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    try:
        first, last = (float(parse_moment(found[key].strip())) for key in ("notBefore", "notAfter"))
    except KeyError as error:
        raise ValueError(f"no {error.args[0]} in {text!r}") from None
    return Held(first, last)


def parse_moment(text: str) -> int:
    """Return seconds since 1970 of `2026-11-27 18:13:35Z`. Pure."""
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%SZ"))


def inspect(certificate: Path) -> Held:
    """Return how long a certificate is valid.

    Raises:
        ValueError: the file is no certificate.

    """
    command = ["openssl", "x509", "-noout", "-dates", "-dateopt", "iso_8601", "-in"]
    done = subprocess.run([*command, str(certificate)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"{certificate}: {done.stderr.strip()[-200:]}")
    return parse_dates(done.stdout)


class Place:
    """Where one certificate is found: a link to one of the folders of its orders."""

    def __init__(self, link: Path, versions: Path, gid: int) -> None:
        self.link, self.versions, self.gid = link, versions, gid

    def held(self) -> Held | None:
        """Return how long what is there is valid; nothing if it is not whole."""
        if not all((self.link / name).is_file() for name in FILES):
            return None
        try:
            dates = json.loads((self.link / DATES).read_text(encoding="utf-8"))
            if dates["sha256"] == _digest((self.link / "fullchain.pem").read_bytes()):
                return Held(float(dates["since"]), float(dates["until"]), str(dates["identity"]))
        except (OSError, ValueError, KeyError, TypeError):
            pass
        # Of another provider, or written by hand: the certificate itself says it.
        return self._inspected()

    def _inspected(self) -> Held | None:
        try:
            return inspect(self.link / "fullchain.pem")
        except ValueError:
            return None

    def put(self, texts: t.Mapping[str, bytes], held: Held) -> None:
        """Let a new certificate take the place of the old: texts of FILES by name."""
        self.versions.mkdir(mode=0o750, parents=True, exist_ok=True)
        os.chown(self.versions, -1, self.gid)
        folder = Path(tempfile.mkdtemp(prefix=f"{self.link.name}@", dir=self.versions))
        for name, mode in FILES.items():
            self._write(folder / name, texts[name], mode)
        dates = {**asdict(held), "sha256": _digest(texts["fullchain.pem"])}
        self._write(folder / DATES, json.dumps(dates).encode(), 0o644)
        os.chown(folder, -1, self.gid)
        folder.chmod(0o750)
        _sync(folder)
        self._point_to(folder)

    def _write(self, path: Path, text: bytes, mode: int) -> None:
        # Nobody but root reads it before it has its group.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fchown(file.fileno(), -1, self.gid)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())

    def _point_to(self, folder: Path) -> None:
        if self.link.is_dir() and not self.link.is_symlink():
            # Of another provider. What it held goes on being read until the link is there.
            self.link.rename(folder.with_name(f"{self.link.name}@before-{time.time_ns()}"))
        beside = self.link.with_name(f".{self.link.name}.new")
        beside.unlink(missing_ok=True)
        beside.symlink_to(os.path.relpath(folder, self.link.parent))
        beside.replace(self.link)
        _sync(self.link.parent)
        self.tidy()

    def tidy(self) -> None:
        """Remove what orders before left behind: all but what the link leads to."""
        current = self.link.resolve() if self.link.exists() else None
        for folder in self.versions.glob(f"{self.link.name}@*"):
            if folder.resolve() != current:
                shutil.rmtree(folder)

    def remove(self) -> None:
        """Take the certificate and its key away."""
        self.link.unlink(missing_ok=True)
        self.tidy()


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, text: str, mode: int = 0o644) -> bool:
    """Put a file in place, whole or not at all; return whether that changed anything."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    Path(file.name).replace(path)
    return True


def render_map(names: t.Mapping[str, Path]) -> str:
    """Return nginx's map of the names that have a certificate of their own. Pure."""
    rows = [f"{name} {folder};" for name, folder in sorted(names.items())]
    return "\n".join(["# Written by archipel-certificates.service.", *rows]) + "\n"


def render_metrics(held: t.Mapping[str, Held], problems: t.Collection[str]) -> str:
    """Return what Prometheus reads of the certificates. Pure."""
    texts = {
        "archipel_certificate_expiry_seconds": "When a certificate ends, in seconds since 1970.",
        "archipel_certificate_problem": "Whether a certificate could not be had or renewed.",
    }
    names = sorted({*held, *problems})
    values = {
        "archipel_certificate_expiry_seconds": {n: int(held[n].until) for n in names if n in held},
        "archipel_certificate_problem": {n: int(n in problems) for n in names},
    }
    lines: list[str] = []
    for metric, text in texts.items():
        lines += [f"# HELP {metric} {text}", f"# TYPE {metric} gauge"]
        lines += [f'{metric}{{name="{name}"}} {value}' for name, value in values[metric].items()]
    return "\n".join(lines) + "\n"
