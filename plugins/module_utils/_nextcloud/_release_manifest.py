# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a release is to be, what it was built from, and how the two differ."""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import (
        Json,
        JsonObject,
    )


class ReleaseError(Exception):
    """A release cannot be had as it is wanted; the message says what to do."""


@dataclass(frozen=True)
class Application:
    """An application that a release carries beside those of Nextcloud itself."""

    id: str
    sha256: str
    # On this node; empty until the release is built.
    archive: str = ""
    # As the catalogue pins it; empty for those of this collection.
    version: str = ""
    # Whether its author's signature was checked.
    signed: bool = False
    # Comes with this collection, and moves with it.
    own: bool = False


@dataclass(frozen=True)
class Wanted:
    """A release as the catalogue describes it."""

    id: str
    version: str
    php_min: str
    php_max: str
    # Empty: whatever archive of that version was verified.
    sha256: str = ""
    applications: list[Application] = field(default_factory=list)
    # Applications that could not be had, and are not in it: id -> why.
    left_out: dict[str, str] = field(default_factory=dict)
    # Whether such a release is good enough: for demonstrations.
    leave_out: bool = False
    # Whether a stand-in is, whatever archive the catalogue pins.
    standin: bool = False


@dataclass(frozen=True)
class Source:
    """The verified archive a release is built from."""

    path: str
    name: str
    sha256: str
    # Where it came from, in words, and whether the vendor's signature was checked.
    origin: str
    signed: bool


@dataclass(frozen=True)
class Plan:
    """What is to be done about a release, and what people should know."""

    build: bool
    warnings: list[str]


def read_manifest(folder: str, release: str) -> JsonObject | None:
    """Return the manifest of a release that is there whole; None if it is not.

    Raises:
        ReleaseError: the manifest is missing or damaged.

    """
    tree, path = f"{folder}/{release}", f"{folder}/{release}.json"
    if not os.path.isdir(tree):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            manifest: JsonObject = json.load(file)
    except FileNotFoundError:
        raise ReleaseError(
            f"{tree} is there without its manifest {path}, so it was not built by this role; "
            "move it away, or give the release another id"
        ) from None
    except ValueError as error:
        raise ReleaseError(f"{path} is damaged ({error}); restore it or move {tree} away") from None
    return manifest


def write_manifest(folder: str, release: str, manifest: JsonObject) -> None:
    """Write the manifest; alone, without its folder, it counts for nothing."""
    path = f"{folder}/{release}.json"
    with open(f"{path}.part", "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    os.replace(f"{path}.part", path)


def plan(wanted: Wanted, manifest: JsonObject | None) -> Plan:
    """Compare what is wanted with what is there. Pure.

    Raises:
        ReleaseError: what is there is another, with everything that differs.

    """
    if manifest is None:
        return Plan(build=True, warnings=[])
    differences = []
    if manifest["version"] != wanted.version:
        differences.append(f"version {manifest['version']}, wanted {wanted.version}")
    built_from = manifest["archive"]["sha256"]
    accepted = wanted.standin and manifest.get("standin")
    if wanted.sha256 and built_from != wanted.sha256 and not accepted:
        differences.append(f"archive sha256 {built_from}, wanted {wanted.sha256}")
    left_out = left_out_of(manifest)
    tolerated = left_out if wanted.leave_out or manifest.get("standin") else set()
    differences += application_differences(wanted, manifest["applications"], tolerated)
    if differences:
        raise ReleaseError(
            f"release {wanted.id} is built already and a release is never modified: it has "
            f"{'; '.join(differences)}. Give what you want now a new release id in "
            "archipel_releases (for instance "
            f"{wanted.id}-2), and move the spaces to it with an upgrade"
        )
    warnings = application_warnings(wanted, manifest["applications"])
    if left_out and not manifest.get("standin"):
        warnings.append(
            f"release {wanted.id} was built WITHOUT {', '.join(sorted(left_out))}, which could not "
            "be had then; a new release id in archipel_releases tries again"
        )
    return Plan(build=False, warnings=warnings)


def left_out_of(manifest: Json) -> set[str]:
    """Return the applications that could not be had when a release was built. Pure."""
    return set(manifest.get("left_out", ()))


def application_differences(
    wanted: Wanted, built: dict[str, JsonObject], tolerated: t.Collection[str] = ()
) -> list[str]:
    """Return how the catalogue's applications differ from those of a built release. Pure.

    Args:
        wanted: the release as the catalogue describes it.
        built: the applications in it.
        tolerated: those that may be missing.

    """
    pinned = {one.id: one for one in wanted.applications if not one.own}
    own = {one.id for one in wanted.applications if one.own}
    differences = []
    for name in sorted(set(pinned) | (set(built) - own)):
        if name not in built and name in tolerated:
            continue
        if name not in built:
            differences.append(f"no application {name}, wanted {pinned[name].version}")
        elif name not in pinned:
            differences.append(f"application {name}, not wanted any more")
        elif built[name]["sha256"] != pinned[name].sha256:
            differences.append(
                f"application {name} from another archive than the one pinned for "
                f"{pinned[name].version}"
            )
    return differences


def application_warnings(wanted: Wanted, built: dict[str, JsonObject]) -> list[str]:
    """Return what to say about our own applications that have moved on since then. Pure."""
    return [
        f"release {wanted.id} was built with another {application.id} than the one at hand; "
        "spaces get the new one with a new release id in archipel_releases"
        for application in wanted.applications
        if application.own and built.get(application.id, {}).get("sha256") != application.sha256
    ]
