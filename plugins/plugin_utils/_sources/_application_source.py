# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Find and verify the archives of a release's applications, on the controller."""

from __future__ import annotations

import functools
import re
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _archive
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._render import _applications
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import _code_signature
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _release_source as source,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Unchecked

KEYS = ("version", "url", "sha256", "unsigned")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,63}")
SHA256 = re.compile(r"[0-9a-fA-F]{64}")
ADDRESS = re.compile(r"https?://[^\s]+")
# Archives that are fetched at the same time.
AT_A_TIME = 4
ON_STANDIN = "the stand-in runs no application of the store"


class UnusableError(source.SourceError):
    """The archive of Nextcloud itself, which says whom to trust, is at fault."""


@dataclass(frozen=True)
class Found:
    """A verified archive of an application on the controller."""

    path: Path
    signed: bool
    origin: str
    warning: str = ""


def check(release: str, entries: t.Any) -> list[str]:
    """Return what is wrong with the applications of a release in the catalogue. Pure."""
    where = f"archipel_releases['{release}'].applications"
    if not isinstance(entries, t.Mapping):
        return [
            f"{where}: found {quoted(entries)}; allowed: application -> {{version, url, sha256}}"
        ]
    return [
        problem for name, entry in entries.items() for problem in check_entry(where, name, entry)
    ]


def check_entry(where: str, name: t.Any, entry: t.Any) -> list[str]:
    """Return what is wrong with one application. Pure."""
    if not isinstance(name, str) or not _applications.ID.fullmatch(name):
        return [f"{where}: found {quoted(name)}; allowed: an id such as calendar"]
    where = f"{where}.{name}"
    if name == _applications.OWN:
        return [f"{where}: it comes with this collection; remove it"]
    if not isinstance(entry, t.Mapping):
        return [f"{where}: found {quoted(entry)}; allowed: version, url, sha256"]
    problems = [
        f"{where}.{key}: unknown key; allowed: {', '.join(KEYS)}.{did_you_mean(str(key), KEYS)}"
        for key in entry
        if key not in KEYS
    ]
    patterns = (
        ("version", VERSION, 'the exact version, in quotes, such as "5.0.2"'),
        ("sha256", SHA256, "64 hexadecimal digits in quotes"),
        ("url", ADDRESS, "the address of its archive"),
    )
    for key, pattern, allowed in patterns:
        value = entry.get(key, "" if key != "url" else "https://local")
        if not isinstance(value, str) or not pattern.fullmatch(value):
            problems.append(f"{where}.{key}: found {quoted(value)}; allowed: {allowed}")
    if not isinstance(entry.get("unsigned", False), bool):
        problems.append(
            f"{where}.unsigned: found {quoted(entry['unsigned'])}; allowed: true or false"
        )
    return problems


def file_name(name: str, entry: Unchecked) -> str:
    """Return what an application's archive is called in local folders and on mirrors. Pure."""
    return f"{name}-{entry['version']}.tar.gz"


def obtain(
    name: str,
    entry: Unchecked,
    sources: source.Sources,
    trusted: t.Callable[[], _code_signature.Authority],
    say: source.Say = source.nothing,
) -> Found:
    """Return an application's archive: a local file, else from the mirror or its address.

    Raises:
        source.SourceError: it cannot be had, or must not be trusted.

    """
    path, origin = find(name, entry, sources, say)
    digest, pinned = source.sha256_of(path), entry["sha256"].lower()
    if digest != pinned:
        raise source.SourceError(
            f"application {name}: {path} has the SHA-256 {digest}, the catalogue pins {pinned}; "
            "replace the file, or correct sha256 if this one is right"
        )
    if entry.get("unsigned", False):
        warning = (
            f"application {name} {entry['version']} is taken without its author's signature: "
            "archipel_releases says unsigned: true"
        )
        return Found(path, signed=False, origin=origin, warning=warning)
    try:
        _code_signature.verify(str(path), name, trusted())
    except (_code_signature.SignatureError, _archive.ArchiveError) as error:
        raise source.SourceError(
            f"application {name}: {path}: {error}. Take the archive that its author published; "
            "only where you trust it otherwise, say unsigned: true in archipel_releases"
        ) from error
    return Found(path, signed=True, origin=origin)


def local(name: str, entry: Unchecked, sources: source.Sources) -> Path | None:
    """Return an application's archive that lies in one of the local folders."""
    called = file_name(name, entry)
    for folder in sources.local_folders:
        path = Path(folder).expanduser() / called
        if path.is_file():
            return path.resolve()
    return None


def find(
    name: str,
    entry: Unchecked,
    sources: source.Sources,
    say: source.Say = source.nothing,
) -> tuple[Path, str]:
    """Return where an application's archive is, fetched if need be, and where it came from.

    Raises:
        SourceError: it lies nowhere, and cannot be fetched.

    """
    called = file_name(name, entry)
    if (here := local(name, entry, sources)) is not None:
        return here, "local file"
    url = f"{sources.mirror_url.rstrip('/')}/{called}" if sources.mirror_url else entry.get("url")
    if not url:
        raise source.SourceError(
            f"application {name}: no {called} in {', '.join(sources.local_folders) or 'any folder'}"
            ", and the catalogue names no url; put it there, or name one"
        )
    path = source.place(sources, called, entry["sha256"])
    with source.locked(path):
        if not path.is_file() or source.sha256_of(path) != entry["sha256"].lower():
            source.fetch(url, path, entry["sha256"].lower(), say)
    return path, url


def authority_of(release: str, archive: source.Archive) -> _code_signature.Authority:
    """Return the code signing authority that a verified Nextcloud archive brings.

    Raises:
        UnusableError: it is damaged, or brings none.

    """
    try:
        return _code_signature.authority_of(str(archive.path))
    except (_code_signature.SignatureError, _archive.ArchiveError) as error:
        raise UnusableError(
            f"{archive.path}: {error}. Fetch it again, or put the right one there; "
            f"archipel_releases['{release}'].archive says which it is"
        ) from error


@dataclass(frozen=True)
class Gathered:
    """The applications of a release, and why others are not among them."""

    found: dict[str, Found]
    # Left out of the release, with the reason.
    left_out: dict[str, str]


def gather(
    release: str,
    entries: t.Mapping[str, Unchecked],
    archive: source.Archive,
    sources: source.Sources,
    say: source.Say = source.nothing,
) -> Gathered:
    """Return the verified archives of a release's applications, a few fetched at a time.

    Raises:
        source.SourceError: some cannot be had, or must not be trusted: all of them, each with the
            entry of the catalogue to mend. Not where they are to be left out.

    """
    wanted, left_out = dict(entries), {}
    if archive.standin:
        # Only what was made for it runs on a stand-in, and lies here.
        wanted = {name: one for name, one in entries.items() if local(name, one, sources)}
        left_out = dict.fromkeys(sorted(set(entries) - set(wanted)), ON_STANDIN)
    trusted = functools.cache(lambda: authority_of(release, archive))

    def attempt(name: str) -> Found | source.SourceError:
        try:
            return obtain(name, wanted[name], sources, trusted, say)
        except UnusableError:
            raise
        except source.SourceError as error:
            return error

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        tried = dict(zip(wanted, pool.map(attempt, wanted), strict=True))
    found = {name: one for name, one in tried.items() if isinstance(one, Found)}
    wrong = {name: str(one) for name, one in tried.items() if not isinstance(one, Found)}
    if wrong and not (sources.leave_out_unavailable or archive.standin):
        where = f"archipel_releases['{release}'].applications"
        lines = [f"{where}.{name}: {why}" for name, why in wrong.items()]
        raise source.SourceError("\n".join(["cannot be built", *lines]))
    return Gathered(found, left_out | wrong)
