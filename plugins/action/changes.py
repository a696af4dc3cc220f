# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Action changes: compare the registry with what it was, on the controller."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from ansible import context as command
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions._action import COLLECTION
from ansible_collections.archipel.spaces.plugins.plugin_utils._changes import (
    _compare,
    _labels,
    _markdown,
    _snapshot,
    _states,
    _trees,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    RegistryError,
    sentence,
)

LIMITS: dict[str, t.Any] = {
    "type": "dict",
    "required": True,
    "options": {
        "accounts": {"type": "int", "required": True},
        "storage_gb": {"type": "int", "required": True},
    },
}
SPEC: dict[str, t.Any] = {
    "base": {"type": "str", "required": True},
    "placement": {"type": "dict", "required": True},
    "default": LIMITS,
    "maximum": LIMITS,
    "build": {"type": "path", "required": True},
    "target": {"type": "path", "required": True},
}
# Lines of a failed run that say why.
TOLD = 12
_ERROR = re.compile(r"\[ERROR\]|fatal: |ERROR")
# A run that does not end would hold CI until its own limit, without a word.
RENDER_SECONDS = 1800
# How check.yml ends where a file is wrong and the others were rendered.
FAILED_TASK = 2


class ActionModule(ActionBase):
    """Say what a proposal is."""

    TRANSFERS_FILES = False
    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(
        self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None
    ) -> dict[str, t.Any]:
        """Compare, and write what came of it.

        Raises:
            AnsibleActionFail: the base cannot be had, or something cannot be read or written.

        """
        super().run(tmp, task_vars)
        options = _options.read("changes", self._task.args, SPEC)
        try:
            with tempfile.TemporaryDirectory(prefix="archipel-base-") as folder:
                changes, commit = _look(options, Path(folder))
            environment = options["placement"]["environment"]
            said = (environment, options["base"], commit)
            texts = {
                "changes.md": _markdown.render(changes, *said),
                "changes.json": _json(changes, *said),
            }
            target = Path(options["target"])
            changed = _write(target, texts, check=self._task.check_mode)
        except (_snapshot.SnapshotError, RegistryError, OSError) as error:
            raise AnsibleActionFail(f"changes: {error}") from error
        return {
            "changed": changed,
            "labels": _labels.label(changes),
            "summary": _labels.summarise(changes),
            "files": [str(target / name) for name in texts],
        }


def _json(changes: _states.Changes, environment: str, reference: str, commit: str) -> str:
    base = {"environment": environment, "base": reference, "commit": commit}
    return json.dumps(_labels.as_json(changes, base), indent=1) + "\n"


def _write(target: Path, texts: dict[str, str], *, check: bool) -> bool:
    """Write what is not there yet; return whether something was, or would be, written."""
    paths = {target / name: text for name, text in texts.items()}
    new = {
        path: text
        for path, text in paths.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    }
    if new and not check:
        target.mkdir(parents=True, exist_ok=True)
        for path, text in new.items():
            path.write_text(text, encoding="utf-8")
    return bool(new)


def _look(options: dict[str, t.Any], folder: Path) -> tuple[_states.Changes, str]:
    """Return what differs, and the commit that it was compared with."""
    registry = Path(options["placement"]["path"]).resolve().parent
    inventories = _inventories()
    repository = _snapshot.find_base(registry, options["base"])
    tree, build = folder / "tree", folder / "build"
    for place in (tree, build):
        place.mkdir()
    roots = [*inventories, registry]
    _snapshot.take(repository, roots, tree)
    there = [_snapshot.below(tree, path) for path in inventories]
    before = _trees.Tree(tuple(there), _snapshot.below(tree, registry))
    old, new = _trees.read_states(before, _trees.Tree(tuple(inventories), registry))
    unknown = _render(there, build, tree)
    now = Path(options["build"])
    situation = _states.Situation(
        default=_states.Limits(**options["default"]),
        maximum=_states.Limits(**options["maximum"]),
        # The policy that a link leads to is of the inventory, wherever it lies, and what runs leave
        # behind is nobody's change.
        outside=_snapshot.list_outside(
            repository, [*roots, *_linked(inventories), now.resolve(), Path(options["target"])]
        ),
        running=_trees.read_running(now, _compare.CONFIG),
    )
    rendered = None if unknown else _trees.read_rendered(build, now)
    return _compare.compare(old, new, situation, rendered, unknown), repository.commit


def _inventories() -> list[Path]:
    """Return the folders of inventories that the run was given."""
    given = command.CLIARGS.get("inventory") or ()
    given = [given] if isinstance(given, str) else given
    paths = [Path(one).resolve() for one in given if "," not in str(one)]
    return [path if path.is_dir() else path.parent for path in paths]


def _linked(inventories: list[Path]) -> list[Path]:
    """Return the folders that links in inventories lead to."""
    return [
        path.resolve()
        for folder in inventories
        for path in folder.glob("*_vars/*/*")
        if path.is_symlink()
    ]


def _render(inventories: list[Path], build: Path, tree: Path) -> str:
    """Let check.yml write what nodes would have held; return why it could not."""
    known = [path for path in inventories if path.is_dir()]
    if not known:
        return ""  # an environment that is new as a whole: nodes held nothing of it
    arguments = [argument for path in known for argument in ("-i", str(path))]
    extra = {"archipel_build": str(build), "base": ""}
    given = [f"-e{one}" for one in command.CLIARGS.get("extra_vars") or ()]
    done = _run([*arguments, *given, *_passwords(), "-e", json.dumps(extra)])
    if done is None:
        return _("rendering the base did not end in {seconds} s", seconds=RENDER_SECONDS)
    if done.returncode in {0, FAILED_TASK} and any(build.iterdir()):
        return ""
    said = (done.stdout + done.stderr).replace(str(tree), "")
    return sentence(_("the base cannot be rendered: {reason}", reason=_find_reason(said)))


def _find_reason(said: str) -> str:
    """Return what a failed run says from its first error on."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    wrong = [number for number, line in enumerate(lines) if _ERROR.match(line)]
    return " ".join(lines[wrong[0] if wrong else 0 :][:TOLD])


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str] | None:
    """Run check.yml; nothing, if it does not end."""
    playbook = str(COLLECTION / "playbooks" / "check.yml")
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    try:
        return subprocess.run(
            [sys.executable, "-m", "ansible", "playbook", *arguments, playbook],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=RENDER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None


def _passwords() -> list[str]:
    """Return the options that name files of vault passwords, as this run has them."""
    files = command.CLIARGS.get("vault_password_files") or ()
    ids = command.CLIARGS.get("vault_ids") or ()
    named = [f"--vault-password-file={one}" for one in files]
    return [*named, *(f"--vault-id={one}" for one in ids if not str(one).endswith("@prompt"))]
