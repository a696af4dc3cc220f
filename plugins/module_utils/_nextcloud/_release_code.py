# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the code of Nextcloud and of its applications says of itself, and what runs it here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import typing as t
from dataclasses import dataclass
from xml.etree import ElementTree

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud._release_manifest import (
    Application,
    ReleaseError,
    Wanted,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

TOP = "nextcloud"
# Code of Nextcloud that shows what a release can do.
INSTALLER = "core/Command/Maintenance/Install.php"
CONFIGURATION = "lib/private/Config.php"


@dataclass(frozen=True)
class Running:
    """What an application will find on this node."""

    nextcloud: str
    php: str
    # Names of PHP's extensions, in lower case.
    extensions: frozenset[str]


def check_php(wanted: Wanted, found: str) -> None:
    """Refuse a release that this node's PHP cannot run. Pure.

    Raises:
        ReleaseError: it is outside of the release's range.

    """
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
    """Ask PHP for its version; None if it is not installed.

    Raises:
        ReleaseError: it is there and does not answer.

    """
    try:
        asked = [binary, "-n", "-r", "echo PHP_VERSION;"]
        done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=30)
    except FileNotFoundError:
        return None
    except (OSError, subprocess.SubprocessError) as error:
        raise ReleaseError(f"{binary} does not say its version: {error}") from error
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


def read_version(tree: str) -> dict[str, str]:
    """Read version.php, which is data in PHP's clothes.

    Raises:
        ReleaseError: this is no Nextcloud.

    """
    try:
        with open(f"{tree}/version.php", encoding="utf-8", errors="replace") as file:
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


def read_application(folder: str) -> JsonObject:
    """Read what an application says of itself.

    Raises:
        ReleaseError: its description cannot be read.

    """
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


def capabilities(tree: str) -> JsonObject:
    """Read from the code what this release can do that others cannot.

    Raises:
        ReleaseError: it does not list what it brings.

    """

    def says(path: str, word: str) -> bool:
        try:
            with open(f"{tree}/{path}", encoding="utf-8", errors="replace") as file:
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


def obstacles(info: JsonObject, wanted: Application, running: Running) -> list[str]:
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
