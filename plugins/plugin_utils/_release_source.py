# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Find and verify the archive of a release, on the controller, once for all nodes."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import gzip
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import typing as t
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ansible.module_utils.urls import open_url

VENDOR = "https://download.nextcloud.com/server/releases"
SUFFIXES = (".tar.bz2", ".tar.gz", ".zip")
SIGNATURE = ".asc"


class SourceError(Exception):
    """An archive cannot be accepted; the message says why and what to do."""


class UnreachableError(SourceError):
    """The place an archive comes from does not answer."""


@dataclass(frozen=True)
class Sources:
    """Where archives and the vendor's key may come from."""

    cache_folder: str
    key_fingerprint: str
    local_folders: list[str] = field(default_factory=list)
    allow_unsigned_local: bool = False
    standin_folder: str = ""
    mirror_url: str = ""
    keyring: str = ""
    key_url: str = "https://nextcloud.com/nextcloud.asc"


@dataclass(frozen=True)
class Archive:
    """A verified archive on the controller."""

    path: Path
    sha256: str
    origin: str
    signed: bool
    warning: str = ""


def obtain(version: str, entry: dict[str, t.Any], sources: Sources) -> Archive:
    """Return the archive of a version: a local file, else the vendor's, else a stand-in.

    Raises:
        SourceError: there is none, or what there is must not be trusted.

    """
    local = find_local(version, sources.local_folders)
    if local is not None:
        return accept_local(local, entry, sources)
    try:
        return download(version, entry, sources)
    except UnreachableError as error:
        standin = find_local(version, [sources.standin_folder] if sources.standin_folder else [])
        if standin is None:
            raise SourceError(
                f"{error}. Put nextcloud-{version}.tar.bz2 and its {SIGNATURE} into one of "
                f"{', '.join(sources.local_folders) or 'nextcloud_local_folders (empty)'}, "
                "set nextcloud_mirror_url, or run again when the address can be reached"
            ) from error
        return Archive(
            standin,
            sha256_of(standin),
            "stand-in",
            signed=False,
            warning=f"{error}. Using the STAND-IN {standin}: not a Nextcloud, for tests only",
        )


def find_local(version: str, folders: list[str]) -> Path | None:
    """Return the first archive of this version in these folders."""
    for folder in folders:
        for suffix in SUFFIXES:
            path = Path(folder).expanduser() / f"nextcloud-{version}{suffix}"
            if path.is_file():
                return path.resolve()
    return None


def accept_local(path: Path, entry: dict[str, t.Any], sources: Sources) -> Archive:
    """Verify a local file as far as it can be, and refuse or warn where it cannot."""
    digest = sha256_of(path)
    pinned = str(entry.get("sha256") or "").lower()
    if pinned and pinned != digest:
        raise SourceError(
            f"{path}: its SHA-256 is {digest}, the catalogue pins {pinned}; "
            "replace the file or remove it"
        )
    signature = path.with_name(path.name + SIGNATURE)
    if signature.is_file():
        verify(path, signature, keyring(sources), sources.key_fingerprint)
        return Archive(path, digest, "local file", signed=True)
    if pinned:
        return Archive(path, digest, "local file", signed=False)
    if sources.allow_unsigned_local:
        return Archive(
            path,
            digest,
            "local file",
            signed=False,
            warning=f"{path} has no signature beside it and is used as it is "
            "(nextcloud_allow_unsigned_local is true)",
        )
    raise SourceError(
        f"{path}: no signature {signature.name} lies beside it and the catalogue pins no sha256. "
        "Put the vendor's signature there, pin archive.sha256, or (only where you trust the file "
        "otherwise) set nextcloud_allow_unsigned_local: true"
    )


def addresses(version: str, entry: dict[str, t.Any], mirror: str) -> dict[str, str]:
    """Return where archive, signature and checksum are. Pure."""
    url = entry.get("url") or f"{VENDOR}/nextcloud-{version}.tar.bz2"
    signature, checksum = entry.get("signature_url"), entry.get("checksum_url")
    found = {
        "archive": url,
        "signature": signature or url + SIGNATURE,
        "checksum": checksum or url + ".sha256",
    }
    if mirror:
        found = {what: f"{mirror.rstrip('/')}/{at.rsplit('/', 1)[1]}" for what, at in found.items()}
    return found


def download(version: str, entry: dict[str, t.Any], sources: Sources) -> Archive:
    """Fetch archive, checksum and signature once; verify them every time."""
    where = addresses(version, entry, sources.mirror_url)
    cache = cache_folder(sources)
    path = cache / where["archive"].rsplit("/", 1)[1]
    signature = path.with_name(path.name + SIGNATURE)
    with locked(path):
        if not (path.is_file() and signature.is_file()):
            expected = entry.get("sha256") or checksum_in(read_url(where["checksum"]), path.name)
            signature.write_bytes(read_url(where["signature"]))
            fetch(where["archive"], path, str(expected).lower())
        try:
            verify(path, signature, keyring(sources), sources.key_fingerprint)
        except UnreachableError:
            raise
        except SourceError:
            # What does not verify is not kept: the next run fetches it anew.
            path.unlink()
            signature.unlink()
            raise
    digest = sha256_of(path)
    pinned = str(entry.get("sha256") or digest).lower()
    if digest != pinned:
        raise SourceError(f"{path}: its SHA-256 is {digest}, the catalogue pins {pinned}")
    return Archive(path, digest, where["archive"], signed=True)


def cache_folder(sources: Sources) -> Path:
    """Make the folder for downloads if need be."""
    folder = Path(sources.cache_folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time fetch a file: Ansible serves many nodes at once."""
    with path.with_name(path.name + ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def open_address(url: str) -> t.Any:
    """Open an address, telling the unreachable from the wrong.

    Raises:
        UnreachableError: nobody answers, or somebody on the way does not let us through.
        SourceError: it was answered that there is no such file.

    """
    try:
        return open_url(url, timeout=30, http_agent="archipel")
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise SourceError(
                f"{url}: there is no such file (HTTP {error.code}); correct the version or "
                "the address in archipel_releases"
            ) from error
        raise UnreachableError(f"{url} cannot be had: HTTP {error.code}") from error
    except (OSError, ValueError) as error:
        raise UnreachableError(f"{url} cannot be reached: {error}") from error


def read_url(url: str) -> bytes:
    """Return what a small file at an address holds."""
    with open_address(url) as answer:
        return t.cast("bytes", answer.read(1024 * 1024))


def fetch(url: str, path: Path, expected: str) -> None:
    """Download a file to its place, whole and with the expected SHA-256, or not at all."""
    part = path.with_name(path.name + ".part")
    with open_address(url) as answer, part.open("wb") as file:
        try:
            shutil.copyfileobj(answer, file, 1024 * 1024)
        except OSError as error:
            raise UnreachableError(f"{url} broke off: {error}") from error
    digest = sha256_of(part)
    if digest != expected:
        part.unlink()
        raise SourceError(
            f"{url}: its SHA-256 is {digest}, expected {expected}; "
            "run again, and if that does not help ask who serves that file"
        )
    part.replace(path)


def checksum_in(text: bytes, name: str) -> str:
    """Find the SHA-256 of a file in what the vendor publishes. Pure."""
    for line in text.decode("ascii", "replace").splitlines():
        match = re.fullmatch(r"([0-9a-fA-F]{64})(?:\s+\*?(\S+))?", line.strip())
        if match and (match.group(2) in (None, name)):
            return match.group(1).lower()
    raise SourceError(f"the published checksums name no SHA-256 of {name}")


def keyring(sources: Sources) -> Path:
    """Return the file with the vendor's key: the operator's, or the vendor's own."""
    if sources.keyring:
        path = Path(sources.keyring).expanduser()
        if not path.is_file():
            raise SourceError(f"nextcloud_keyring: there is no file {path}")
        return path
    path = cache_folder(sources) / "vendor-key.asc"
    with locked(path):
        if not path.is_file():
            path.write_bytes(read_url(sources.key_url))
    return path


def verify(path: Path, signature: Path, key: Path, fingerprint: str) -> None:
    """Accept a file only with a valid signature of the pinned key.

    Raises:
        SourceError: the signature is not valid, or is somebody else's.

    """
    binary = key.with_name(key.name + ".binary")
    with locked(key):
        binary.write_bytes(dearmor(key.read_bytes()))
        command = ["gpgv", "--status-fd", "1", "--keyring", str(binary.resolve())]
        try:
            asked = [*command, str(signature), str(path)]
            done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=300)
        except FileNotFoundError:
            raise SourceError(
                "gpgv is needed on the controller to check signatures; install the package gpgv"
            ) from None
        finally:
            binary.unlink()
    signers = valid_signers(done.stdout)
    wanted = fingerprint.replace(" ", "").upper()
    if done.returncode != 0 or wanted not in signers:
        said = done.stderr.strip().splitlines()
        raise SourceError(
            f"{path}: the signature {signature.name} is not one of the key {wanted} "
            f"(gpgv: {said[-1] if said else 'nothing said'}). "
            "Do not use this file; fetch it again from the vendor"
        )


def valid_signers(status: str) -> set[str]:
    """Return the primary keys behind the valid signatures gpgv reports. Pure."""
    lines = (line.split() for line in status.splitlines())
    return {words[-1].upper() for words in lines if words[:2] == ["[GNUPG:]", "VALIDSIG"]}


def dearmor(data: bytes) -> bytes:
    """Return a key in the binary form that gpgv wants. Pure."""
    if b"-----BEGIN PGP PUBLIC KEY BLOCK-----" not in data:
        return data
    binary = b""
    for block in re.findall(
        rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(.*?)-----END PGP", data, re.DOTALL
    ):
        body = re.split(rb"\r?\n\r?\n", block, maxsplit=1)[-1]
        lines = [line for line in body.split() if not line.startswith(b"=")]
        binary += base64.b64decode(b"".join(lines))
    return binary


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack_application(folder: Path) -> bytes:
    """Pack an application's folder; the same files always give the same bytes."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                info = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}")
                data = path.read_bytes()
                info.size, info.mode, info.mtime = len(data), 0o644, 0
                archive.addfile(info, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), mtime=0)
