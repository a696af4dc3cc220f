# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Propose newer patch levels and applications for the catalogue, as a diff for a human to commit.

    python -m tools.catalogue                      # what archipel_release could have
    python -m tools.catalogue --release 33.0.9 | git apply

The application store's feed says which versions run on which Nextcloud and PHP. Each
archive that is proposed was fetched, checked against its author's signature in the feed,
and its SHA-256 is what the catalogue pins. Whether Nextcloud's authority vouches for that
author is checked when a release is built. The vendor's list of archives says which patch level
of the release's major is the newest, and the checksum beside it is pinned. A patch level for
which the store has no build of an application that is in the release now is refused.
"""

from __future__ import annotations

import argparse
import datetime
import difflib
import hashlib
import io
import json
import os
import re
import sys
import tarfile
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from tools import ROOT, collection
from tools.catalogue_text import CatalogueError, Entry, Proposal, edited

collection.importable()

from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _support
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _code_signature,
    _release_source,
)

FEED = "https://apps.nextcloud.com/api/v1/apps.json"
SERVERS = f"{_release_source.VENDOR}/"
CATALOGUE = ROOT / "group_vars/all/releases.yml"
LARGEST = 512 * 1024 * 1024


def read(address: str) -> bytes:
    """Return what is at an address, or in a file."""
    try:
        if "://" not in address:
            return Path(address).read_bytes()
        request = urllib.request.Request(address, headers={"User-Agent": "archipel"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read(LARGEST))
    except (OSError, ValueError) as error:
        raise CatalogueError(f"{address} cannot be read: {error}") from error


def read_feed(address: str) -> dict[str, Entry]:
    """Return the applications of the store's feed, by id."""
    try:
        feed = json.loads(read(address))
        return {str(entry["id"]): entry for entry in feed}
    except (ValueError, TypeError, KeyError) as error:
        raise CatalogueError(f"{address} is no feed of the application store: {error!r}") from error


def numbers(version: str) -> list[int]:
    """Return the numbers of a version."""
    return [int(part) for part in re.findall(r"\d+", version)]


def admits(spec: str, version: str) -> bool:
    """Tell whether ">=30 <=33" admits a version; each end is as exact as it is written."""
    for part in spec.split():
        match = re.fullmatch(r"(>=|<=|>|<|=)(\d[\d.]*)", part)
        if part == "*":
            continue
        if match is None:
            return False
        bound = numbers(match.group(2))
        found = numbers(version)[: len(bound)]
        holds = {
            ">=": found >= bound,
            "<=": found <= bound,
            ">": found > bound,
            "<": found < bound,
            "=": found == bound,
        }
        if not holds[match.group(1)]:
            return False
    return True


def choose(entry: Mapping[str, Any], release: Mapping[str, Any]) -> Entry | None:
    """Return the newest finished version of an application that a release can have."""
    candidates = [
        one
        for one in entry.get("releases", [])
        if not one.get("isNightly")
        and "-" not in one["version"]
        and admits(one.get("rawPlatformVersionSpec", "*"), release["version"])
        # Nodes differ in their PHP: it must run on the oldest or the newest of the range.
        and any(
            admits(one.get("rawPhpVersionSpec", "*"), release["php"][end]) for end in ("min", "max")
        )
    ]
    return max(candidates, key=lambda one: numbers(one["version"]), default=None)


def pin(name: str, found: Mapping[str, Any], certificate: str) -> Entry:
    """Fetch an archive, check it, and return its entry of the catalogue."""
    data = read(found["download"])
    try:
        _code_signature.verify_download(data, found["signature"], certificate, name)
    except (_code_signature.SignatureError, ValueError, KeyError) as error:
        raise CatalogueError(f"{found['download']}: {error}") from error
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            tops = {member.name.split("/", 1)[0] for member in archive}
    except tarfile.TarError as error:
        raise CatalogueError(f"{found['download']} is no archive: {error}") from error
    if tops != {name}:
        raise CatalogueError(
            f"{found['download']} holds {sorted(tops)}, expected the folder {name}"
        )
    digest = hashlib.sha256(data).hexdigest()
    return {"version": found["version"], "url": found["download"], "sha256": digest}


def propose(release: Mapping[str, Any], feed: Mapping[str, Entry]) -> Proposal:
    """Return what a release could be made of: its applications, and those it is without."""
    current: dict[str, Entry] = release.get("applications") or {}
    wanted = sorted({*current, *release.get("without", ())})
    applications, without, reasons = {}, [], {}
    for name in wanted:
        entry = feed.get(name)
        found = choose(entry, release) if entry else None
        if found is None:
            reasons[name] = (
                "the store has no build of it for this release"
                if entry
                else "the store does not know it"
            )
        elif name in current and current[name]["version"] == found["version"]:
            applications[name] = current[name]
            continue
        else:
            assert entry is not None
            try:
                applications[name] = pin(name, found, entry["certificate"])
                continue
            except CatalogueError as error:
                reasons[name] = str(error)
        if name in current:
            applications[name] = current[name]
        else:
            without.append(name)
    return Proposal(applications, without, reasons)


def newest(version: str, listing: str) -> str:
    """Return the newest patch level of a version's major in the vendor's list of archives."""
    found = re.findall(r"nextcloud-(\d+\.\d+\.\d+)\.tar\.bz2", listing)
    same = [one for one in found if numbers(one)[0] == numbers(version)[0]]
    return max([version, *same], key=numbers)


def newest_server(release: Mapping[str, Any], servers: str) -> tuple[str, Entry]:
    """Return the newest patch level for a release, and its archive; an empty one: as it is."""
    version = newest(release["version"], read(servers).decode("utf-8", "replace"))
    if version == release["version"]:
        return version, {}
    name = f"nextcloud-{version}.tar.bz2"
    url = urllib.parse.urljoin(servers, name)
    try:
        digest = _release_source.checksum_in(read(f"{url}.sha256"), name)
    except _release_source.SourceError as error:
        raise CatalogueError(f"{url}.sha256: {error}") from error
    return version, {"url": url, "sha256": digest}


def unfit(
    release: Mapping[str, Any], applications: Mapping[str, Entry], feed: Mapping[str, Entry]
) -> list[str]:
    """Return the applications of which nobody says that they run on a release."""
    return sorted(
        name
        for name, pinned in applications.items()
        if not any(
            one["version"] == pinned["version"]
            and admits(one.get("rawPlatformVersionSpec", "*"), release["version"])
            for one in feed.get(name, {}).get("releases", [])
        )
    )


def with_server(release: Mapping[str, Any], feed: Mapping[str, Entry], servers: str) -> Proposal:
    """Return what a release could be made of, on the newest patch level of its major.

    Raises:
        CatalogueError: its applications do not fit that one.

    """
    try:
        version, archive = newest_server(release, servers)
    except CatalogueError as error:
        print(f"server: {error}", file=sys.stderr)
        version, archive = release["version"], {}
    changed = {**release, "version": version}
    proposal = propose(changed, feed)
    wrong = unfit(changed, proposal.applications, feed) if archive else []
    if wrong:
        raise CatalogueError(
            f"Nextcloud {version} is there, and the store has no build for it of "
            f"{', '.join(wrong)}: no proposal is made. Ask again later, or write a release that "
            "names them under `without`"
        )
    return replace(proposal, version=version if archive else "", archive=archive)


def next_id(release: str, version: str, taken: Sequence[str]) -> str:
    """Return a free id: a release that may be built somewhere is never changed."""
    if version not in {*taken, release}:
        return version
    number = 2
    while f"{version}-{number}" in taken or f"{version}-{number}" == release:
        number += 1
    return f"{version}-{number}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the proposal as a diff, and what stays open on standard error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--release", help="its id in archipel_releases; default: archipel_release")
    parser.add_argument("--feed", default=FEED, help="address or file of the store's feed")
    parser.add_argument(
        "--servers", default=SERVERS, help="address or file of the vendor's list of archives"
    )
    parser.add_argument("--catalogue", type=Path, default=CATALOGUE, help="the catalogue's file")
    options = parser.parse_args(arguments)
    try:
        return run(options.catalogue, options.release, options.feed, options.servers)
    except CatalogueError as error:
        print(f"catalogue: {error}", file=sys.stderr)
        return 1


def run(catalogue: Path, release: str | None, feed: str, servers: str) -> int:
    """Do what the command line asks for."""
    text = catalogue.read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    releases = document["archipel_releases"]
    release = release or document["archipel_release"]
    if release not in releases:
        raise CatalogueError(f"unknown release {release!r}; known: {', '.join(releases)}")
    entry = releases[release]
    mark(releases)
    proposal = with_server(entry, read_feed(feed), servers)
    for name, reason in proposal.reasons.items():
        print(f"{name}: {reason}", file=sys.stderr)
    if not proposal.archive and proposal.applications == (entry.get("applications") or {}):
        print(
            f"Release {release} has the newest server of its major and the newest applications "
            "there are.",
            file=sys.stderr,
        )
        return 0
    new = release
    if entry.get("applications") or proposal.archive:
        new = next_id(release, proposal.version or entry["version"], list(releases))
        print(
            f"Release {release} may be built somewhere and is left as it is; the proposal is "
            f"{new}. Make it archipel_release, or that of a ring, when it is committed.",
            file=sys.stderr,
        )
    show(catalogue, text, edited(text, release, new, proposal))
    return 0


def mark(releases: Mapping[str, Entry]) -> None:
    """Say which majors of the catalogue are past their end of life, or soon will be."""
    today = datetime.datetime.now(datetime.UTC).date()
    for sentence in _support.ends(releases, releases, today):
        print(sentence, file=sys.stderr)


def show(catalogue: Path, text: str, after: str) -> None:
    """Print what changes in the catalogue's file as a diff."""
    name = os.path.relpath(catalogue, ROOT)
    before, now = text.splitlines(keepends=True), after.splitlines(keepends=True)
    sys.stdout.writelines(difflib.unified_diff(before, now, f"a/{name}", f"b/{name}"))


if __name__ == "__main__":
    sys.exit(main())
