# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Unpack a release beside its place, check it, and put it there whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import time
import typing as t

from ansible_collections.archipel.spaces.plugins.module_utils._core import (
    _archive,
    _files,
    _journal,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _release_code,
    _release_manifest,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud._release_code import (
    Running,
)
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud._release_manifest import (
    Application,
    ReleaseError,
    Source,
    Wanted,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

EXTRA = "apps-extra"
# What the system says when there is no room: on the disk, or for its owner.
FULL = (errno.ENOSPC, errno.EDQUOT)
# Who builds keeps others out, so many seconds at most.
LOCK = ".building"
PATIENCE = 900


def digest_of(path: str) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def add_application(tree: str, application: Application) -> JsonObject:
    """Unpack one application into the release and return what it says of itself.

    Raises:
        ReleaseError: its archive is another than the one that was verified, or is broken.

    """
    if digest_of(application.archive) != application.sha256:
        raise ReleaseError(f"the archive of application {application.id} changed on its way here")
    target = f"{tree}/{EXTRA}/{application.id}"
    unpack(application.archive, application.id, target)
    return _release_code.read_application(target)


def entry_of(wanted: Wanted, application: Application) -> str:
    """Return where the catalogue describes an application. Pure."""
    if application.own:
        return f"application {application.id} of this collection"
    return f"archipel_releases['{wanted.id}'].applications.{application.id}"


def add_applications(tree: str, wanted: Wanted, running: Running) -> dict[str, JsonObject]:
    """Unpack all applications, and check them together: everything wrong is said at once.

    Raises:
        ReleaseError: one of them cannot be had here.

    """
    added, problems = {}, []
    for application in wanted.applications:
        if os.path.isdir(f"{tree}/apps/{application.id}"):
            problems.append(
                f"{entry_of(wanted, application)}: application {application.id} is part of "
                f"Nextcloud {wanted.version}; remove it"
            )
            continue
        try:
            info = add_application(tree, application)
        except ReleaseError as error:
            problems.append(f"{entry_of(wanted, application)}: {error}")
            continue
        problems += [
            f"{entry_of(wanted, application)}: {problem}"
            for problem in _release_code.obstacles(info, application, running)
        ]
        added[application.id] = {
            "version": info["version"],
            "sha256": application.sha256,
            "signed": application.signed,
            "own": application.own,
        }
    if problems:
        raise ReleaseError("\n".join([f"release {wanted.id} cannot be built", *problems]))
    return added


def unpack(archive: str, top: str, target: str) -> None:
    """Unpack one folder of an archive, refusing what does not belong into a code tree.

    Raises:
        ReleaseError: the archive is damaged, or something in it must not be unpacked.

    """
    try:
        _archive.unpack(archive, top, target)
    except _archive.ArchiveError as error:
        raise ReleaseError(f"{os.path.basename(archive)}: {error}") from error


def build_once(folder: str, wanted: Wanted, source: Source, running: Running) -> JsonObject:
    """Make the release, unless another run has made it meanwhile; return its manifest.

    Raises:
        ReleaseError: it cannot be made, the other run has made another one, or does not end.

    """
    os.makedirs(folder, mode=0o755, exist_ok=True)
    try:
        with _journal.exclusive(LOCK, folder, patience=PATIENCE):
            manifest = _release_manifest.read_manifest(folder, wanted.id)
            if manifest is None:
                return build(folder, wanted, source, running)
            # It says what differs.
            _release_manifest.plan(wanted, manifest)
            return manifest
    except _journal.JournalError as error:
        raise ReleaseError(str(error)) from error


def build(
    folder: str,
    wanted: Wanted,
    source: Source,
    running: Running,
) -> JsonObject:
    """Make the release for what runs on this node and return its manifest.

    Nobody else may build in this folder meanwhile: what other builds left is removed.

    Raises:
        ReleaseError: it cannot be made; nothing of it is left.

    """
    if digest_of(source.path) != source.sha256:
        raise ReleaseError(f"{source.name} changed on its way to this node; run again")
    os.makedirs(folder, mode=0o755, exist_ok=True)
    sweep(folder)
    place = f"{folder}/{LOCK}-{wanted.id}-{secrets.token_hex(4)}"
    try:
        manifest = assemble(place, wanted, source, running)
        os.sync()
        _release_manifest.write_manifest(folder, wanted.id, manifest)
        os.rename(place, f"{folder}/{wanted.id}")
    except BaseException as error:
        discard(folder, wanted.id, place)
        if isinstance(error, OSError) and error.errno in FULL:
            raise ReleaseError(
                f"release {wanted.id} cannot be built: {error}. A release needs about 1 GB; make "
                f"room in {folder} and run again. Nothing of it was left there"
            ) from error
        raise
    _files.sync_folder(folder)
    return manifest


def discard(folder: str, release: str, place: str) -> None:
    """Leave nothing of a release that could not be built."""
    shutil.rmtree(place, ignore_errors=True)
    for path in (f"{folder}/{release}.json.part", f"{folder}/{release}.json"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def assemble(
    place: str,
    wanted: Wanted,
    source: Source,
    running: Running,
) -> JsonObject:
    """Unpack and check everything at a place nobody uses yet.

    Raises:
        ReleaseError: something is broken, of another version, or does not run here.

    """
    try:
        unpack(source.path, _release_code.TOP, place)
    except ReleaseError as error:
        raise ReleaseError(
            f"archipel_releases['{wanted.id}'].archive: {source.name} ({source.origin}): {error}; "
            "put the right one there"
        ) from error
    version = _release_code.read_version(place)
    if version["version"] != wanted.version:
        raise ReleaseError(
            f"{source.name} holds Nextcloud {version['version']}, "
            f"release {wanted.id} wants {wanted.version}; correct the one that is wrong"
        )
    able = _release_code.capabilities(place)
    os.makedirs(f"{place}/{EXTRA}", mode=0o755, exist_ok=True)
    applications = add_applications(place, wanted, running)
    return {
        "id": wanted.id,
        **version,
        "standin": version["vendor"] == "archipel-standin",
        "archive": {
            "name": source.name,
            "sha256": source.sha256,
            "origin": source.origin,
            "signed": source.signed,
        },
        "php": {"min": wanted.php_min, "max": wanted.php_max},
        "capabilities": able,
        "applications": applications,
        "left_out": wanted.left_out,
        "built_at": int(time.time()) + 1,
    }


def sweep(folder: str) -> None:
    """Remove what an interrupted build left behind: it is needed for the next one, 1 GB of it."""
    for entry in os.scandir(folder):
        if entry.name.startswith(f"{LOCK}-"):
            shutil.rmtree(entry.path, ignore_errors=True)
