# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Render a role's templates in its action plugin, many at once."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

from ansible_collections.archipel.spaces.plugins.module_utils._core._payloads import File, NodeFiles
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
    Unchecked,
    Variables,
)

if t.TYPE_CHECKING:
    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft

MODE = re.compile(r"[0-7]{3,4}")
# No difference is shown of such files: as _managed_files calls them.
SECRET = "secret"
SPEC: Draft = {
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "required_one_of": [["src", "content"]],
        "mutually_exclusive": [["src", "content"]],
        "options": {
            "dest": {"type": "path", "required": True},
            "src": {"type": "str"},
            "content": {"type": "str"},
            "vars": {"type": "dict", "default": {}},
            "mode": {"type": "str", "default": "0644"},
            "template": {"type": "bool", "default": True},
            "secret": {"type": "bool", "default": False},
        },
    },
    "directories": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "path", "required": True},
            "mode": {"type": "str", "default": "0755"},
            "owner": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "root"},
        },
    },
}


class TemplatesAction(ActionBase):
    """Render with the role's own variables and search path, as `ansible.builtin.template` does."""

    def rendered(self, arguments: Unchecked, variables: Variables) -> NodeFiles:
        """Return directories and files with their content, for `_managed_files.converge_node`.

        Args:
            arguments: as SPEC describes them.
            variables: what templates may name.

        Raises:
            AnsibleActionFail: the arguments are wrong, or a template is missing.

        """
        return self.rendered_options(_options.read("templates", arguments, SPEC), variables)

    def rendered_options(self, options: Unchecked, variables: Variables) -> NodeFiles:
        """Return the same of options that were checked.

        Raises:
            AnsibleActionFail: a template is missing.

        """
        return {
            "directories": [
                {
                    "path": one["path"],
                    "mode": self._mode(one["path"], one["mode"]),
                    "owner": one["owner"],
                    "group": one["group"],
                }
                for one in options["directories"]
            ],
            "files": [self._file(item, variables) for item in options["files"]],
        }

    @staticmethod
    def _mode(path: str, mode: str) -> int:
        """Return permission bits as a number.

        Raises:
            AnsibleActionFail: they are none.

        """
        if not MODE.fullmatch(mode):
            raise AnsibleActionFail(
                f'{path}: mode is "{mode}"; allowed: three or four octal digits in quotes, '
                'such as "0644"'
            )
        return int(mode, 8)

    def _file(self, item: Unchecked, variables: Variables) -> File:
        """Return one file with its content, as the module takes it."""
        text = item["content"] if item["src"] is None else self._content(item, variables)
        return {
            "space": item["dest"],
            "kind": SECRET if item["secret"] else "file",
            "path": item["dest"],
            "content": text,
            "uid": 0,
            "gid": 0,
            "mode": self._mode(item["dest"], item["mode"]),
        }

    def _content(self, item: Unchecked, variables: Variables) -> str:
        """Return a template rendered, or a plain file as it is.

        Raises:
            AnsibleActionFail: there is no such file.

        """
        folder = "templates" if item["template"] else "files"
        try:
            source = Path(self._find_needle(folder, item["src"]))
            text = source.read_text(encoding="utf-8")
        except OSError as error:
            raise AnsibleActionFail(f"templates: {item['src']}: {error}") from error
        if not item["template"]:
            return text
        paths = [str(source.parent)]
        for path in variables.get("ansible_search_path", []):
            paths += [f"{path}/templates", path]
        available = {"ansible_managed": "Ansible managed", **variables, **item["vars"]}
        templar = self._templar.copy_with_new_env(searchpath=paths, available_variables=available)
        overrides = {"trim_blocks": True}
        return str(templar.template(trust_as_template(text), overrides=overrides) or "")
