# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The golden template of a release: an installed, empty Nextcloud to make new ones from.

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

from ansible_collections.archipel.spaces.plugins.module_utils import _database, _files

DUMP, MANIFEST = "dump.sql", "manifest.json"
# Keys of config.php that a copy takes over: what the code and its tables are.
KEPT = ("version", "dbtableprefix")
STATE_KEY = re.compile(r"^\s*'([a-z.]+)'\s*=>\s*'((?:[^'\\]|\\.)*)',\s*$", re.MULTILINE)
LOWER = string.ascii_lowercase + string.digits
MIXED = string.ascii_letters + string.digits
# Rows that name the data directory of the space they were made in. Nextcloud makes them
# anew when it first looks at a storage.
OF_ONE_SPACE = ("storages", "filecache", "filecache_extended", "mounts", "authtoken", "preferences")


class GoldenError(Exception):
    """A template could not be made or used."""


@dataclass(frozen=True)
class Golden:
    """Where the template of one release is, and which build of the release it belongs to."""

    directory: Path
    build: str

    @property
    def ready(self) -> bool:
        """Tell whether it is there and belongs to this very build."""
        try:
            manifest = json.loads((self.directory / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(manifest.get("build") == self.build)


def state_of(config: str) -> dict[str, str]:
    """Return the text values of a config.php that Nextcloud wrote."""
    return dict(STATE_KEY.findall(config))


def config_of(kept: t.Mapping[str, str]) -> str:
    """Return a new space's config.php: the template's version, and secrets of its own.

    Lengths and alphabets are those of Nextcloud's installer (lib/private/Setup.php).
    """
    state = {
        "passwordsalt": random(MIXED, 30),
        "secret": random(MIXED + "+/", 48),
        "instanceid": instance_id(),
        **{key: kept[key] for key in KEPT if key in kept},
    }
    rows = "".join(f"  '{key}' => '{value}',\n" for key, value in state.items())
    return f"<?php\n$CONFIG = array (\n{rows}  'installed' => true,\n);\n"


def instance_id() -> str:
    """Return an instance id as Nextcloud makes them (lib/private/legacy/OC_Util.php)."""
    return "oc" + random(LOWER, 10)


def random(alphabet: str, length: int) -> str:
    """Return random text that nobody can guess."""
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


def save(golden: Golden, server: _database.Server, name: str, config: str) -> None:
    """Keep a freshly installed, empty space as the template; whole or not at all.

    Args:
        golden: where.
        server: which has the space's database.
        name: of that database.
        config: the space's state file.

    Raises:
        GoldenError: the database could not be read.
    """
    prefix = state_of(config).get("dbtableprefix", "oc_")
    left_out = [f"--ignore-table-data={name}.{prefix}{table}" for table in OF_ONE_SPACE]
    dump = command("mariadb-dump", server, name)
    dump[-1:-1] = left_out
    os.makedirs(golden.directory, mode=0o700, exist_ok=True)
    beside = golden.directory / f"{DUMP}.new"
    with beside.open("wb") as file:
        done = subprocess.run(dump, stdout=file, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        beside.unlink()
        raise GoldenError(f"mariadb-dump: {done.stderr.decode(errors='replace')[-500:]}")
    with beside.open("ab") as file:
        file.write(b"COMMIT;\n")
    beside.chmod(0o600)
    beside.rename(golden.directory / DUMP)
    kept = {key: value for key, value in state_of(config).items() if key in KEPT}
    note = {"build": golden.build, "database": name, "state": kept}
    text = json.dumps(note) + "\n"
    item = {"path": str(golden.directory / MANIFEST), "content": text, "mode": 0o600}
    _files.write_file({**item, "uid": 0, "gid": 0})


def load(golden: Golden, server: _database.Server, name: str) -> str:
    """Fill an empty database from the template; return the new space's config.php.

    Raises:
        GoldenError: the database could not be filled.
    """
    with (golden.directory / DUMP).open("rb") as file:
        done = subprocess.run(
            command("mariadb", server, name), stdin=file, capture_output=True, check=False
        )
    if done.returncode != 0:
        raise GoldenError(f"mariadb: {done.stderr.decode(errors='replace')[-500:]}")
    manifest = json.loads((golden.directory / MANIFEST).read_text(encoding="utf-8"))
    return config_of(manifest["state"])
