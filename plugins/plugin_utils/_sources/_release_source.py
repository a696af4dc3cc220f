# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Find and verify the archive of a release, on the controller, once for all nodes."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import gzip
import io
import re
import subprocess
import tarfile
import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.plugin_utils._sources._download import (
    Say,
    SourceError,
    UncheckedError,
    UnreachableError,
    fetch,
    nothing,
    read_url,
    sha256_of,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft

__all__ = ["Say", "SourceError", "UnreachableError", "fetch", "nothing", "sha256_of"]

VENDOR = "https://download.nextcloud.com/server/releases"
SUFFIXES = (".tar.bz2", ".tar.gz", ".zip")
SIGNATURE = ".asc"
FETCHED_KEY = "vendor-key.asc"


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
    # For demonstrations: an application that cannot be had is left out of the release.
    leave_out_unavailable: bool = False


@dataclass(frozen=True)
class Archive:
    """A verified archive on the controller."""

    path: Path
    sha256: str
    origin: str
    signed: bool
    warning: str = ""
    # Not a Nextcloud: applications of the store do not run on it.
    standin: bool = False


def obtain(version: str, entry: Draft, sources: Sources, say: Say = nothing) -> Archive:
    """Return the archive of a version: a local file, else the vendor's, else a stand-in.

    Raises:
        SourceError: there is none, or what there is must not be trusted.

    """
    local = find_local(version, sources.local_folders)
    if local is not None:
        return accept_local(local, entry, sources)
    try:
        return download(version, entry, sources, say)
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
            standin=True,
        )


def find_local(version: str, folders: list[str]) -> Path | None:
    """Return the first archive of this version in these folders."""
    for folder in folders:
        for suffix in SUFFIXES:
            path = Path(folder).expanduser() / f"nextcloud-{version}{suffix}"
            if path.is_file():
                return path.resolve()
    return None


def accept_local(path: Path, entry: Draft, sources: Sources) -> Archive:
    """Verify a local file as far as it can be, and refuse or warn where it cannot.

    Raises:
        SourceError: it is another than pinned, or nobody vouches for it.

    """
    digest = sha256_of(path)
    pinned = str(entry.get("sha256") or "").lower()
    if pinned and pinned != digest:
        raise SourceError(
            f"{path}: its SHA-256 is {digest}, the catalogue pins {pinned}; "
            "replace the file or remove it"
        )
    signature = path.with_name(path.name + SIGNATURE)
    if signature.is_file():
        check_signature(path, signature, sources)
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


def addresses(version: str, entry: Draft, mirror: str) -> dict[str, str]:
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


def download(version: str, entry: Draft, sources: Sources, say: Say = nothing) -> Archive:
    """Fetch archive, checksum and signature once; verify them every time.

    Raises:
        SourceError: it cannot be had, or is not what the vendor signed.

    """
    where = addresses(version, entry, sources.mirror_url)
    path = place(sources, where["archive"].rsplit("/", 1)[1], str(entry.get("sha256") or ""))
    signature = path.with_name(path.name + SIGNATURE)
    with locked(path):
        if not (path.is_file() and signature.is_file()):
            expected = entry.get("sha256") or checksum_in(read_url(where["checksum"]), path.name)
            signature.write_bytes(read_url(where["signature"]))
            fetch(where["archive"], path, str(expected).lower(), say)
        try:
            check_signature(path, signature, sources)
        except (UnreachableError, UncheckedError):
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


def place(sources: Sources, name: str, sha256: str) -> Path:
    """Return where a download is kept: by its checksum, where one is pinned.

    What was fetched once is found again under any release that pins the same.
    """
    folder = cache_folder(sources)
    if sha256:
        folder = folder / "by-sha256" / sha256.lower()
        folder.mkdir(parents=True, exist_ok=True)
    return folder / name


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time fetch a file: Ansible serves many nodes at once."""
    with path.with_name(path.name + ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def checksum_in(text: bytes, name: str) -> str:
    """Find the SHA-256 of a file in what the vendor publishes. Pure.

    Raises:
        SourceError: it names none.

    """
    for line in text.decode("ascii", "replace").splitlines():
        match = re.fullmatch(r"([0-9a-fA-F]{64})(?:\s+\*?(\S+))?", line.strip())
        if match and (match.group(2) in (None, name)):
            return match.group(1).lower()
    raise SourceError(f"the published checksums name no SHA-256 of {name}")


def keyring(sources: Sources) -> Path:
    """Return the file with the vendor's key: the operator's, or the vendor's own.

    Raises:
        UncheckedError: the operator's file is not there.

    """
    if sources.keyring:
        path = Path(sources.keyring).expanduser()
        if not path.is_file():
            raise UncheckedError(f"nextcloud_keyring: there is no file {path}")
        return path
    path = cache_folder(sources) / FETCHED_KEY
    with locked(path):
        if not path.is_file():
            path.write_bytes(read_url(sources.key_url))
    return path


def check_signature(path: Path, signature: Path, sources: Sources) -> None:
    """Accept a file only with a valid signature of the pinned key, as `verify` does.

    A key that was fetched and does not vouch for it is fetched anew by the next run: it may be cut
    off, or what a network on the way answered in its place.

    Raises:
        SourceError: the signature is not valid, or is somebody else's.
        UncheckedError: it could not be asked.

    """
    try:
        verify(path, signature, keyring(sources), sources.key_fingerprint)
    except UncheckedError:
        raise
    except SourceError:
        if not sources.keyring:
            (cache_folder(sources) / FETCHED_KEY).unlink(missing_ok=True)
        raise


def verify(path: Path, signature: Path, key: Path, fingerprint: str) -> None:
    """Accept a file only with a valid signature of the pinned key.

    Raises:
        SourceError: the signature is not valid, or is somebody else's.
        UncheckedError: gpgv is not there, or does not end.

    """
    binary = key.with_name(key.name + ".binary")
    with locked(key):
        binary.write_bytes(dearmor(key.read_bytes()))
        command = ["gpgv", "--status-fd", "1", "--keyring", str(binary.resolve())]
        try:
            asked = [*command, str(signature), str(path)]
            done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=300)
        except FileNotFoundError:
            raise UncheckedError(
                "gpgv is needed on the controller to check signatures; install the package gpgv"
            ) from None
        except subprocess.TimeoutExpired:
            raise UncheckedError(f"{path}: gpgv did not end in 300 seconds; run again") from None
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
