# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The seed image of a release: an installed, empty Nextcloud to make new ones from.

The first space of a release is installed by Nextcloud's own installer. What its database
holds then, before anybody has an account, is kept; later spaces start from that copy, with
an identity and secrets of their own. Copying takes a fraction of the time of installing.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import string
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _files
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _database

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.module_utils._core._json import JsonObject

DUMP, MANIFEST = "dump.sql", "manifest.json"
# What the folder of all seed images was called once.
FORMER_NAME = "golden"
# Keys of config.php that a copy takes over: what the code and its tables are.
KEPT = ("version", "dbtableprefix")
STATE_KEY = re.compile(r"^\s*'([a-z.]+)'\s*=>\s*'((?:[^'\\]|\\.)*)',\s*$", re.MULTILINE)
LOWER = string.ascii_lowercase + string.digits
MIXED = string.ascii_letters + string.digits
# Rows that name the data directory of the space they were made in. Nextcloud makes them
# anew when it first looks at a storage.
OF_ONE_SPACE = ("storages", "filecache", "filecache_extended", "mounts", "authtoken", "preferences")


class SeedImageError(Exception):
    """A seed image could not be made or used."""


@dataclass(frozen=True)
class SeedImage:
    """Where the seed image of one release is, and which build of the release it belongs to."""

    directory: Path
    build: str

    @property
    def ready(self) -> bool:
        """Tell whether it is there and belongs to this very build."""
        return self.manifest().get("build") == self.build

    def manifest(self) -> JsonObject:
        """Return what is noted of it; nothing where it is not there, or not whole."""
        try:
            return dict(json.loads((self.directory / MANIFEST).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}


def state_of(config: str) -> dict[str, str]:
    """Return the text values of a config.php that Nextcloud wrote."""
    return dict(STATE_KEY.findall(config))


def config_of(kept: t.Mapping[str, str]) -> str:
    """Return a new space's config.php: the image's version, and secrets of its own.

    Lengths and alphabets are those of Nextcloud's installer (lib/private/Setup.php).
    """
    state = {
        "passwordsalt": random(MIXED, 30),
        "secret": secret(),
        "instanceid": instance_id(),
        **{key: kept[key] for key in KEPT if key in kept},
    }
    rows = "".join(f"  '{key}' => '{value}',\n" for key, value in state.items())
    return f"<?php\n$CONFIG = array (\n{rows}  'installed' => true,\n);\n"


def instance_id() -> str:
    """Return an instance id as Nextcloud makes them (lib/private/legacy/OC_Util.php)."""
    return "oc" + random(LOWER, 10)


def secret() -> str:
    """Return a secret, from which Nextcloud makes the keys of what it encrypts."""
    return random(MIXED + "+/", 48)


def random(alphabet: str, length: int) -> str:
    """Return random text that nobody can guess.

    Args:
        alphabet: what it is made of.
        length: in characters.

    """
    return "".join(secrets.choice(alphabet) for _ in range(length))


def command(program: str, server: _database.Server, name: str) -> list[str]:
    """Return a MariaDB client's command line for one database of a server."""
    return server.command(program, *options_of(program), name)


def options_of(program: str) -> list[str]:
    """Return what each client needs to give or take a whole database quickly."""
    if program == "mariadb-dump":
        # Into an empty database: nothing to drop, nobody to lock out. Each of these statements
        # would cost a commit per table.
        return [
            *("--single-transaction", "--skip-comments", "--skip-dump-date", "--quick"),
            *("--skip-add-drop-table", "--skip-add-locks"),
            *("--skip-disable-keys", "--skip-no-autocommit"),
        ]
    return ["--init-command=SET foreign_key_checks=0, unique_checks=0, autocommit=0"]


def save(image: SeedImage, server: _database.Server, name: str, config: str) -> None:
    """Keep a freshly installed, empty space as the seed image; whole or not at all.

    Args:
        image: where.
        server: which has the space's database.
        name: of that database.
        config: the space's state file.

    Raises:
        SeedImageError: the database could not be read.
    """
    prefix = state_of(config).get("dbtableprefix", "oc_")
    left_out = [f"--ignore-table-data={name}.{prefix}{table}" for table in OF_ONE_SPACE]
    dump = command("mariadb-dump", server, name)
    dump[-1:-1] = left_out
    os.makedirs(image.directory, mode=0o700, exist_ok=True)
    # A run that dies in between leaves no manifest beside the dump of another build.
    (image.directory / MANIFEST).unlink(missing_ok=True)
    write_dump(dump, image.directory / DUMP)
    kept = {key: value for key, value in state_of(config).items() if key in KEPT}
    note = {"build": image.build, "database": name, "state": kept}
    text = json.dumps(note) + "\n"
    path = str(image.directory / MANIFEST)
    _files.write_file({"path": path, "content": text, "uid": 0, "gid": 0, "mode": 0o600})


def write_dump(command: list[str], path: Path) -> None:
    """Write what a dump prints to a file, and to the disk; whole or not at all.

    Raises:
        SeedImageError: the database could not be read.
    """
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            beside.unlink()
            raise SeedImageError(f"mariadb-dump: {done.stderr.decode(errors='replace')[-500:]}")
        file.seek(0, os.SEEK_END)
        file.write(b"COMMIT;\n")
        file.flush()
        os.fsync(file.fileno())
    beside.chmod(0o600)
    beside.rename(path)


def adopt(folder: str) -> None:
    """Move seed images from where they were kept under their former name.

    Args:
        folder: of all seed images; empty: there is none.

    """
    former = Path(folder).with_name(FORMER_NAME) if folder else None
    if former and former.is_dir() and not os.path.lexists(folder):
        former.rename(folder)


def load(image: SeedImage, server: _database.Server, name: str) -> str:
    """Fill an empty database from the seed image; return the new space's config.php.

    Raises:
        SeedImageError: the database could not be filled.
    """
    with (image.directory / DUMP).open("rb") as file:
        # Read once the dump is open: a run that replaces both takes the manifest away first.
        manifest = image.manifest()
        if manifest.get("build") != image.build:
            raise SeedImageError(f"{image.directory} was replaced by another run: run again")
        done = subprocess.run(
            command("mariadb", server, name), stdin=file, capture_output=True, check=False
        )
    if done.returncode != 0:
        raise SeedImageError(f"mariadb: {done.stderr.decode(errors='replace')[-500:]}")
    return config_of(manifest["state"])
