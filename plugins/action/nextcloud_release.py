# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Action plugin of nextcloud_release: verify on the controller, build where it is missing."""

from __future__ import annotations

import hashlib
import os
import tempfile
import typing as t
from pathlib import Path
from types import MappingProxyType

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import pack
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _application_source as application_source,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._sources import (
    _release_source as source,
)

MODULE = "archipel.spaces.nextcloud_release"
SPEC: dict[str, t.Any] = {
    "id": {"type": "str", "required": True},
    "release": {"type": "dict", "required": True},
    "folder": {"type": "path", "default": "/srv/nextcloud/releases"},
    "php": {"type": "path", "default": "/usr/bin/php"},
    "applications": {"type": "list", "elements": "path", "default": []},
    "sources": {
        "type": "dict",
        "required": True,
        "options": {
            "local_folders": {"type": "list", "elements": "path", "default": []},
            "allow_unsigned_local": {"type": "bool", "default": False},
            "standin_folder": {"type": "str", "default": ""},
            "leave_out_unavailable": {"type": "bool", "default": False},
            "mirror_url": {"type": "str", "default": ""},
            "cache_folder": {"type": "path", "required": True},
            "keyring": {"type": "str", "default": ""},
            "key_url": {"type": "str", "default": "https://nextcloud.com/nextcloud.asc"},
            "key_fingerprint": {"type": "str", "required": True},
        },
    },
}
Vars = dict[str, t.Any] | None


class ActionModule(ActionBase):
    """Ask the node whether the release is there; bring the archive only if it is not."""

    # Of the task, once they are checked.
    options: t.Mapping[str, t.Any] = MappingProxyType({})

    def run(self, tmp: str | None = None, task_vars: Vars = None) -> dict[str, t.Any]:
        """Build the release on the node unless it is there."""
        super().run(tmp, task_vars)
        self.options = _options.read("nextcloud_release", self._task.args, SPEC)
        order = self._order()
        applications = self._applications()
        order["wanted"]["applications"] = [
            {"id": name, "sha256": hashlib.sha256(data).hexdigest(), "own": True}
            for name, data in applications.items()
        ] + [
            {"id": name, "sha256": entry["sha256"].lower(), "version": entry["version"]}
            for name, entry in self._pinned().items()
        ]
        sources = self._sources()
        order["wanted"]["leave_out"] = sources.leave_out_unavailable
        order["wanted"]["standin"] = bool(sources.standin_folder)
        asked = self._ask(order, task_vars)
        if asked.get("manifest"):
            self._compare(sources, asked["manifest"])
        if asked.get("failed") or not asked.get("changed") or self._task.check_mode:
            return asked
        archive, gathered = self._gather(order["wanted"], sources)
        packed: dict[str, bytes | application_source.Found] = {**applications, **gathered.found}
        self._leave_out(order["wanted"], gathered)
        return self._build(order, archive, packed, task_vars)

    def _sources(self) -> source.Sources:
        """Return where archives come from; folders as people write them, not as paths add up."""
        given = dict(self.options["sources"])
        given["local_folders"] = [os.path.normpath(folder) for folder in given["local_folders"]]
        return source.Sources(**given)

    def _gather(
        self, wanted: dict[str, t.Any], sources: source.Sources
    ) -> tuple[source.Archive, application_source.Gathered]:
        """Return the verified archives of a release, and say what is not as it should be.

        Raises:
            AnsibleActionFail: an archive cannot be had, or must not be trusted.

        """
        say, warn = Display().display, Display().warning
        try:
            entry = self.options["release"].get("archive") or {}
            archive = source.obtain(wanted["version"], entry, sources, say)
            gathered = application_source.gather(
                wanted["id"], self._pinned(), archive, sources, say
            )
        except source.SourceError as error:
            # Ansible appends the text of each cause, and this one says it already.
            raise AnsibleActionFail(f"release {wanted['id']}: {error}") from None
        for warning in filter(
            None, [archive.warning, *(one.warning for one in gathered.found.values())]
        ):
            warn(warning)
        return archive, gathered

    def _leave_out(self, wanted: dict[str, t.Any], gathered: application_source.Gathered) -> None:
        """Take what cannot be had off what the node is asked to build, loudly."""
        wanted["left_out"] = gathered.left_out
        wanted["applications"] = [
            one for one in wanted["applications"] if one["id"] not in gathered.left_out
        ]
        reasons: dict[str, list[str]] = {}
        for name, why in gathered.left_out.items():
            reasons.setdefault(why, []).append(name)
        for why, names in reasons.items():
            Display().warning(f"release {wanted['id']} is built WITHOUT {', '.join(names)}: {why}")

    def _order(self) -> dict[str, t.Any]:
        """Return what the module is to do, but for the archives.

        Raises:
            AnsibleActionFail: the release is not described whole.

        """
        release = self.options["release"]
        try:
            wanted = {
                "id": self.options["id"],
                "version": str(release["version"]),
                "php_min": str(release["php"]["min"]),
                "php_max": str(release["php"]["max"]),
                "sha256": str((release.get("archive") or {}).get("sha256") or "").lower(),
            }
        except (KeyError, TypeError) as error:
            raise AnsibleActionFail(
                f"archipel_releases: release {self.options['id']} lacks {error}; "
                "it needs version, php.min and php.max"
            ) from error
        return {
            "folder": self.options["folder"],
            "php": self.options["php"],
            "wanted": wanted,
            "source": None,
        }

    def _applications(self) -> dict[str, bytes]:
        """Return the packed applications that lie on the controller.

        Raises:
            AnsibleActionFail: a folder holds no application.

        """
        folders = [Path(folder) for folder in self.options["applications"]]
        for folder in folders:
            if not (folder / "appinfo/info.xml").is_file():
                raise AnsibleActionFail(f"{folder} has no appinfo/info.xml")
        return {folder.name: source.pack_application(folder) for folder in folders}

    def _pinned(self) -> dict[str, dict[str, t.Any]]:
        """Return the applications that the catalogue pins, once they are found right.

        Raises:
            AnsibleActionFail: an entry of the catalogue is wrong.

        """
        entries = self.options["release"].get("applications") or {}
        problems = application_source.check(self.options["id"], entries)
        if problems:
            raise AnsibleActionFail("\n".join(problems))
        return dict(entries)

    def _compare(self, sources: source.Sources, manifest: dict[str, t.Any]) -> None:
        """Say when a local file is not what a release, which stays as it is, was built from."""
        local = source.find_local(manifest["version"], sources.local_folders)
        if local is not None and source.sha256_of(local) != manifest["archive"]["sha256"]:
            Display().warning(
                f"{local} is not what release {manifest['id']} was built from "
                f"({manifest['archive']['origin']}); to use it, add a new release id to "
                "archipel_releases"
            )

    def _ask(self, order: dict[str, t.Any], task_vars: Vars) -> dict[str, t.Any]:
        """Run the module in check mode: it says whether there is something to do."""
        checking, self._task.check_mode = self._task.check_mode, True
        try:
            return self._module(order, task_vars)
        finally:
            self._task.check_mode = checking

    def _build(
        self,
        order: dict[str, t.Any],
        archive: source.Archive,
        applications: dict[str, bytes | application_source.Found],
        task_vars: Vars,
    ) -> dict[str, t.Any]:
        """Copy the archives to the node and build the release from them."""
        folder = self._make_tmp_path()
        try:
            order["source"] = {
                "path": self._send(archive.path, folder),
                "name": archive.path.name,
                "sha256": archive.sha256,
                "origin": archive.origin,
                "signed": archive.signed,
            }
            with tempfile.TemporaryDirectory() as local:
                for application in order["wanted"]["applications"]:
                    one = applications[application["id"]]
                    path = Path(local, f"{application['id']}.tar.gz")
                    if isinstance(one, bytes):
                        path.write_bytes(one)
                    else:
                        path, application["signed"] = one.path, one.signed
                    application["archive"] = self._send(path, folder)
            return self._module(order, task_vars)
        finally:
            self._remove_tmp_path(folder)

    def _send(self, path: Path, folder: str) -> str:
        """Copy one file to the node."""
        there = self._connection._shell.join_path(folder, path.name)
        self._transfer_file(str(path), there)
        return t.cast("str", there)

    def _module(self, order: dict[str, t.Any], task_vars: Vars) -> dict[str, t.Any]:
        arguments = {"payload": pack(order)}
        return self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
