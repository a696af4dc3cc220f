# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Give an empty space its Nextcloud, and clear away what an interrupted installation left."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import typing as t
from pathlib import Path

from ansible_collections.archipel.spaces.plugins.module_utils._core import _config, _files
from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import (
    _apply,
    _node,
    _repair,
    _seed_image,
)
from ansible_collections.archipel.spaces.plugins.module_utils._sql import _mariadb

JOURNAL = ".installing"
# Two spaces installed side by side must not both write the seed image.
SAVING = threading.Lock()


def tables(item: _node.Item, node: _node.Node) -> int:
    """Return how many tables the space's database holds."""
    connection = node.connect(item["database"])
    try:
        with connection.cursor() as cursor:
            sql = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"
            cursor.execute(sql, (item["database"]["name"],))
            return int(cursor.fetchone()[0])
    finally:
        connection.close()


def clear(item: _node.Item, node: _node.Node) -> None:
    """Remove what an interrupted installation left: its tables and its state file."""
    name = _mariadb.quote(item["database"]["name"])
    connection = node.connect(item["database"])
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")
            cursor.execute(_mariadb.create_database(item["database"]["name"]))
    finally:
        connection.close()
    Path(_node.layout_of(item, node).config_file).unlink(missing_ok=True)


def install(item: _node.Item, node: _node.Node) -> None:
    """Give an empty space its Nextcloud: from the release's seed image, or by its installer.

    Raises:
        InstallationError: it is not empty: its configuration went missing.

    """
    base = _node.layout_of(item, node).home
    journal = Path(f"{base}/{JOURNAL}")
    if not journal.exists():
        if count := tables(item, node):
            raise _node.InstallationError(
                f"{base}/config/config.php says nothing is installed, "
                f"yet the database has {count} tables: "
                "restore config.php from a backup, or empty the database if it is not needed"
            )
        journal.touch(mode=0o600)
        # Before the first table is there: without it nobody may clear the remains away.
        _files.sync_folder(base)
    image = find_seed_image(item, node)
    if image and image.ready:
        with _node.server_of(item, node) as server:
            config = _seed_image.load(image, server, item["database"]["name"])
        create(f"{base}/config/config.php", config, item["id"])
    else:
        run_installer(item, node)
        if image and not image.ready:
            # Enabling two dozen applications is most of the work: the seed image has it done.
            _node.occ(item, node, _apply.APPLY, stdin=json.dumps(item["template"]))
        _apply.add_missing(item, node)
        # A new Nextcloud takes itself for one that was never repaired, and warns of it.
        _node.occ(item, node, _repair.COMMAND)
        if image and not image.ready:
            save_seed_image(image, item, node)
    # The repair leaves its key behind, which a copy of the seed image lacks.
    tidy(item, node, {"maintenance"})
    mark_data(f"{base}/data", item["id"])
    journal.unlink()
    # Nor may it come back, once people have put something into the space.
    _files.sync_folder(base)


def find_seed_image(item: _node.Item, node: _node.Node) -> _seed_image.SeedImage | None:
    """Return where the seed image of a space is; None where there can be none.

    A release whose installer insists on an account has none: a seed image must be empty.
    """
    release = os.path.realpath(_node.layout_of(item, node).release)
    manifest = _files.read_text(f"{release}.json")
    can = json.loads(manifest or "{}").get("capabilities", {}).get("install_without_admin")
    if not node.seed_images or not can:
        return None
    # Another application set is another image: what it no longer names must not come along.
    made_of = [manifest, item["template"], _apply.MISSING, _repair.COMMAND]
    build = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    return _seed_image.SeedImage(Path(node.seed_images, os.path.basename(release)), build)


def save_seed_image(image: _seed_image.SeedImage, item: _node.Item, node: _node.Node) -> None:
    """Make a space that was just installed the seed image of its release, if there is none yet."""
    with SAVING:
        if not image.ready:
            config = _files.read_text(_node.layout_of(item, node).config_file)
            with _node.server_of(item, node) as server:
                _seed_image.save(image, server, item["database"]["name"], config)


def run_installer(item: _node.Item, node: _node.Node) -> None:
    """Run Nextcloud's own installer, and enable the application that the rest goes through."""
    layout, database = _node.layout_of(item, node), item["database"]
    # occ runs only as the user who owns the state file. It has an instance id: the installer makes
    # none, and what makes one later writes the operator's keys into the file as well.
    start = f"<?php\n$CONFIG = array (\n  'instanceid' => '{_seed_image.instance_id()}',\n);\n"
    create(layout.config_file, start, item["id"])
    arguments = [
        *("maintenance:install", "--no-interaction", "--database=mysql"),
        f"--database-host={database['address']}",
        f"--database-name={database['name']}",
        f"--database-user={database['user']}",
        f"--database-pass={database['password'] or ''}",
        f"--data-dir={layout.data}",
        *first_account(os.path.realpath(layout.release)),
    ]
    _node.occ(item, node, arguments)
    _node.occ(item, node, ["app:enable", "archipel"])


def tidy(item: _node.Item, node: _node.Node, others: t.AbstractSet[str] = frozenset()) -> None:
    """Take the operator's keys, and others, out of a space's state file.

    Nextcloud writes all it has read back into config.php. A name that later leaves our
    list would live on in that copy: newer releases merge the two lists.
    """
    path = _node.layout_of(item, node).config_file
    text = _config.without(_files.read_text(path), {*item["managed"], *others})
    own = item["id"]
    _files.write_file({"path": path, "content": text, "uid": own, "gid": own, "mode": 0o640})


def create(path: str, content: str, owner: int) -> None:
    """Put a file of the space's own user in place, unless there is one.

    Args:
        path: where.
        content: what is in it.
        owner: number of the user and of its group.

    """
    if not os.path.lexists(path):
        _files.write_file(
            {"path": path, "content": content, "uid": owner, "gid": owner, "mode": 0o640}
        )


def first_account(release: str) -> list[str]:
    """Return the installer's arguments about the first account: none, where it can do without.

    What a release can do stands in the manifest beside it, written when it was built.
    """
    manifest = json.loads(_files.read_text(f"{release}.json") or "{}")
    if manifest.get("capabilities", {}).get("install_without_admin"):
        return ["--disable-admin-user"]
    return [f"--admin-user={_apply.SETUP_ACCOUNT}", f"--admin-pass={secrets.token_urlsafe(32)}"]


def mark_data(directory: str, owner: int) -> None:
    """Put the marks that any release looks for in a data directory."""
    for name in (".ncdata", ".ocdata"):
        create(f"{directory}/{name}", "# Nextcloud data directory\n", owner)
