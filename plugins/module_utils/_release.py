# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Build a release: one Nextcloud code tree, shared by spaces and never modified.

A release is a folder and, beside it, a manifest of what went into it. It is unpacked into
a hidden folder next to its place, checked there, and renamed: it is either whole or absent.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import subprocess
import time
import typing as t
from dataclasses import dataclass, field
from xml.etree import ElementTree

from ansible_collections.archipel.spaces.plugins.module_utils import (
    _archive,
    _managed_files,
)

TOP = "nextcloud"
EXTRA = "apps-extra"
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Code of Nextcloud that tells what a release can do.
INSTALLER = "core/Command/Maintenance/Install.php"
CONFIGURATION = "lib/private/Config.php"
# What the system says when there is no room: on the disk, or for its owner.
FULL = (errno.ENOSPC, errno.EDQUOT)


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
class Running:
    """What an application will find on this node."""

    nextcloud: str
    php: str
    # Names of PHP's extensions, in lower case.
    extensions: frozenset[str]


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


def read_manifest(folder: str, release: str) -> dict[str, t.Any] | None:
    """Return the manifest of a release that is there whole; None if it is not."""
    tree, path = f"{folder}/{release}", f"{folder}/{release}.json"
    if not os.path.isdir(tree):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            manifest: dict[str, t.Any] = json.load(file)
    except FileNotFoundError:
        raise ReleaseError(
            f"{tree} is there without its manifest {path}, so it was not built by this role; "
            "move it away, or give the release another id"
        ) from None
    except ValueError as error:
        raise ReleaseError(f"{path} is damaged ({error}); restore it or move {tree} away") from None
    return manifest


def plan(wanted: Wanted, manifest: dict[str, t.Any] | None) -> Plan:
    """Compare what is wanted with what is there. Pure."""
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


def left_out_of(manifest: dict[str, t.Any]) -> set[str]:
    """Return the applications that could not be had when a release was built. Pure."""
    return set(manifest.get("left_out", ()))


def application_differences(
    wanted: Wanted, built: dict[str, dict[str, t.Any]], tolerated: t.Collection[str] = ()
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


def application_warnings(wanted: Wanted, built: dict[str, dict[str, t.Any]]) -> list[str]:
    """Return what to say about our own applications that have moved on since then. Pure."""
    return [
        f"release {wanted.id} was built with another {application.id} than the one at hand; "
        "spaces get the new one with a new release id in archipel_releases"
        for application in wanted.applications
        if application.own and built.get(application.id, {}).get("sha256") != application.sha256
    ]


def check_php(wanted: Wanted, found: str) -> None:
    """Refuse a release that this node's PHP cannot run. Pure."""
    running = numbers(found)[:2]
    if not numbers(wanted.php_min)[:2] <= running <= numbers(wanted.php_max)[:2]:
        raise ReleaseError(
            f"release {wanted.id} (Nextcloud {wanted.version}) runs on PHP {wanted.php_min} to "
            f"{wanted.php_max}, this node has PHP {found}; choose another release for it, "
            "or another Debian"
        )


def numbers(version: str) -> list[int]:
    """Return the numbers of a version such as 8.4.21-1+deb13u1."""
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


def php_version(binary: str) -> str | None:
    """Ask PHP for its version; None if it is not installed."""
    try:
        asked = [binary, "-n", "-r", "echo PHP_VERSION;"]
        done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30)
    except FileNotFoundError:
        return None
    except (OSError, subprocess.SubprocessError) as error:
        raise ReleaseError(f"{binary} does not tell its version: {error}") from error
    return done.stdout.strip()


def php_extensions(binary: str) -> frozenset[str]:
    """Ask PHP for its extensions.

    Raises:
        ReleaseError: it does not answer.

    """
    try:
        done = subprocess.run(
            [binary, "-m"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ReleaseError(f"{binary} does not name its extensions: {error}") from error
    return frozenset(line.strip().lower() for line in done.stdout.splitlines() if line.strip())


def digest_of(path: str) -> str:
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_version(tree: str) -> dict[str, str]:
    """Read version.php, which is data in PHP's clothes."""
    try:
        with open(f"{tree}/version.php", encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise ReleaseError(f"the archive holds no {TOP}/version.php: {error}") from error
    found = re.search(r"\$OC_Version\s*=\s*(?:\[|array\()([\d,\s]+)", text)
    if not found:
        raise ReleaseError(f"{TOP}/version.php names no $OC_Version; this is no Nextcloud")
    full = ".".join(re.findall(r"\d+", found.group(1)))

    def text_of(name: str) -> str:
        match = re.search(rf"\${name}\s*=\s*'([^']*)'", text)
        return match.group(1) if match else ""

    return {
        "version": ".".join(full.split(".")[:3]),
        "version_full": full,
        "version_string": text_of("OC_VersionString"),
        "vendor": text_of("vendor"),
    }


def read_application(folder: str) -> dict[str, t.Any]:
    """Read what an application says of itself."""
    try:
        root = ElementTree.parse(f"{folder}/appinfo/info.xml").getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise ReleaseError(f"{folder}/appinfo/info.xml cannot be read: {error}") from error
    php = root.find("dependencies/php")
    nextcloud = root.find("dependencies/nextcloud")
    return {
        "id": (root.findtext("id") or "").strip(),
        "version": (root.findtext("version") or "").strip(),
        "nextcloud": limits(nextcloud),
        "php": limits(php),
        "extensions": [(lib.text or "").strip() for lib in root.findall("dependencies/lib")],
        "databases": [(one.text or "").strip() for one in root.findall("dependencies/database")],
    }


def limits(element: ElementTree.Element | None) -> tuple[str, str]:
    """Return the lowest and the highest version an application names, empty where it names none."""
    if element is None:
        return "", ""
    return element.get("min-version", ""), element.get("max-version", "")


def capabilities(tree: str) -> dict[str, t.Any]:
    """Read from the code what this release can do that others cannot."""

    def says(path: str, word: str) -> bool:
        try:
            with open(f"{tree}/{path}", encoding="utf-8") as file:
                return word in file.read()
        except OSError:
            return False

    try:
        with open(f"{tree}/core/shipped.json", encoding="utf-8") as file:
            shipped = json.load(file)
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{TOP}/core/shipped.json cannot be read: {error}") from error
    names = sorted(entry.name for entry in os.scandir(f"{tree}/apps") if entry.is_dir())
    return {
        "install_without_admin": says(INSTALLER, "disable-admin-user"),
        "merges_config_lists": says(CONFIGURATION, "array_replace_recursive"),
        "always_enabled": sorted(shipped.get("alwaysEnabled", [])),
        "apps": {name: read_application(f"{tree}/apps/{name}")["version"] for name in names},
    }


def within(version: str, low: str, high: str) -> bool:
    """Tell whether a version is in a range, both ends as exact as they are written. Pure."""
    found = numbers(version)
    lowest, highest = numbers(low), numbers(high)
    return found[: len(lowest)] >= lowest and (not highest or found[: len(highest)] <= highest)


def obstacles(info: dict[str, t.Any], wanted: Application, running: Running) -> list[str]:
    """Return why an application cannot run here. Pure."""
    name = f"application {wanted.id} {info['version']}"
    found = []
    if info["id"] != wanted.id:
        found.append(f"application {wanted.id} calls itself {info['id']!r}")
    if wanted.version and info["version"] != wanted.version:
        found.append(f"{name} is in the archive pinned as {wanted.version}")
    for what, version in (("nextcloud", running.nextcloud), ("php", running.php)):
        low, high = info[what]
        if not within(version, low, high):
            called = {"nextcloud": "Nextcloud", "php": "PHP"}[what]
            found.append(
                f"{name} is made for {called} {low or '…'} to {high or '…'}, not for {version}; "
                "take another version of it"
            )
    lacking = [one for one in info["extensions"] if one.lower() not in running.extensions]
    if lacking:
        found.append(f"{name} needs the PHP extensions {', '.join(lacking)}; install them")
    if info["databases"] and "mysql" not in info["databases"]:
        found.append(f"{name} works with {', '.join(info['databases'])} only, not with MariaDB")
    return found


def add_application(tree: str, application: Application) -> dict[str, t.Any]:
    """Unpack one application into the release and return what it says of itself."""
    if digest_of(application.archive) != application.sha256:
        raise ReleaseError(f"the archive of application {application.id} changed on its way here")
    target = f"{tree}/{EXTRA}/{application.id}"
    unpack(application.archive, application.id, target)
    return read_application(target)


def entry_of(wanted: Wanted, application: Application) -> str:
    """Return where the catalogue describes an application. Pure."""
    if application.own:
        return f"application {application.id} of this collection"
    return f"archipel_releases['{wanted.id}'].applications.{application.id}"


def add_applications(tree: str, wanted: Wanted, running: Running) -> dict[str, dict[str, t.Any]]:
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
            for problem in obstacles(info, application, running)
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
    """Unpack one folder of an archive, refusing what does not belong into a code tree."""
    try:
        _archive.unpack(archive, top, target)
    except _archive.ArchiveError as error:
        raise ReleaseError(f"{os.path.basename(archive)}: {error}") from error


def build(folder: str, wanted: Wanted, source: Source, running: Running) -> dict[str, t.Any]:
    """Make the release for what runs on this node and return its manifest."""
    if digest_of(source.path) != source.sha256:
        raise ReleaseError(f"{source.name} changed on its way to this node; run again")
    os.makedirs(folder, mode=0o755, exist_ok=True)
    sweep(folder)
    place = f"{folder}/.building-{wanted.id}-{secrets.token_hex(4)}"
    try:
        manifest = assemble(place, wanted, source, running)
        os.sync()
        write_manifest(folder, wanted.id, manifest)
        os.rename(place, f"{folder}/{wanted.id}")
    except BaseException as error:
        discard(folder, wanted.id, place)
        if isinstance(error, OSError) and error.errno in FULL:
            raise ReleaseError(
                f"release {wanted.id} cannot be built: {error}. A release needs about 1 GB; make "
                f"room in {folder} and run again. Nothing of it was left there"
            ) from error
        raise
    sync_folder(folder)
    return manifest


def discard(folder: str, release: str, place: str) -> None:
    """Leave nothing of a release that could not be built."""
    shutil.rmtree(place, ignore_errors=True)
    for path in (f"{folder}/{release}.json.part", f"{folder}/{release}.json"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def assemble(place: str, wanted: Wanted, source: Source, running: Running) -> dict[str, t.Any]:
    """Unpack and check everything at a place nobody uses yet."""
    try:
        unpack(source.path, TOP, place)
    except ReleaseError as error:
        raise ReleaseError(
            f"archipel_releases['{wanted.id}'].archive: {source.name} ({source.origin}): {error}; "
            "put the right one there"
        ) from error
    version = read_version(place)
    if version["version"] != wanted.version:
        raise ReleaseError(
            f"{source.name} holds Nextcloud {version['version']}, "
            f"release {wanted.id} wants {wanted.version}; correct the one that is wrong"
        )
    able = capabilities(place)
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
    """Remove what an interrupted build left behind."""
    for entry in os.scandir(folder):
        if entry.name.startswith(".building-") and entry.stat().st_mtime < time.time() - 3600:
            shutil.rmtree(entry.path, ignore_errors=True)


def write_manifest(folder: str, release: str, manifest: dict[str, t.Any]) -> None:
    """Write the manifest; alone, without its folder, it counts for nothing."""
    path = f"{folder}/{release}.json"
    with open(f"{path}.part", "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    os.replace(f"{path}.part", path)


def sync_folder(folder: str) -> None:
    """Make a rename survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def modified(tree: str, built_at: int, owner: int = 0) -> list[str]:
    """Return up to ten paths that were changed after the release was built."""
    found: list[str] = []
    for parent, _folders, files in os.walk(tree):
        for name in [*files, "."] if parent != tree else files:
            path = os.path.join(parent, name)
            with contextlib.suppress(FileNotFoundError):
                state = os.lstat(path)
                open_to_others = state.st_mode & 0o022 and not stat.S_ISLNK(state.st_mode)
                if state.st_uid != owner or open_to_others or state.st_mtime > built_at:
                    found.append(os.path.normpath(path))
        if len(found) > 10:
            break
    return sorted(found)[:10]


def make_folder(folder: str, *, check: bool) -> bool:
    """Ensure the releases' folder is root's, readable by all; return whether it was not."""
    parent = os.path.dirname(folder)
    # What it is in is ours only if it was not there.
    wanted = [path for path in (parent, folder) if path == folder or not os.path.isdir(path)]
    items = [{"path": path, "mode": 0o755, "group": "root"} for path in wanted]
    return bool(_managed_files.converge_directories(items, check=check))


def converge(
    *,
    folder: str,
    php: str,
    wanted: dict[str, t.Any],
    source: dict[str, t.Any] | None,
    check: bool,
) -> dict[str, t.Any]:
    """Build a release unless it is there, and return what the module reports."""
    release = Wanted(
        **{**wanted, "applications": [Application(**a) for a in wanted["applications"]]}
    )
    found = php_version(php)
    if found is not None:
        check_php(release, found)
    elif not check:
        raise ReleaseError(f"{php} is not there; install PHP first (role php)")
    manifest = read_manifest(folder, release.id)
    todo = plan(release, manifest)
    if manifest is not None:
        touched = modified(f"{folder}/{release.id}", manifest["built_at"])
        if touched:
            raise ReleaseError(
                f"release {release.id} was modified after it was built: {', '.join(touched)}. "
                "Give spaces a release built anew under another id, and remove this one"
            )
    elif not check and source is None:
        raise ReleaseError(f"release {release.id} is absent and no archive was given")
    made = make_folder(folder, check=check)
    if manifest is None and source is not None and not check:
        running = Running(release.version, found or "", php_extensions(php))
        manifest = build(folder, release, Source(**source), running)
    return {
        "changed": bool(todo.build or made),
        "manifest": manifest or {},
        "warnings": todo.warnings,
    }
