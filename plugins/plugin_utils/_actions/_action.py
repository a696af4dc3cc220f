# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What the action plugins of spaces share: render here, once for all, converge there."""

from __future__ import annotations

import typing as t
from pathlib import Path
from types import MappingProxyType

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.template import Templar

from ansible_collections.archipel.spaces.plugins.module_utils._core._spaces import pack
from ansible_collections.archipel.spaces.plugins.plugin_utils._actions import _options
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    RegistryError,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._selection import select
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import (
    KnownSpace,
    Skipped,
    SpaceEntry,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
    Result,
    Unchecked,
    Variables,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import _lock_file
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_context import Context

Spaces = list[SpaceEntry]
Payload = t.TypeVar("Payload", bound=t.Mapping[str, object])
COLLECTION = Path(__file__).resolve().parents[3]


def find_spaces(value: t.Any, variables: Variables, templar: Templar) -> Spaces:
    """Return the spaces of an option: a list, or the name of the variable that holds them.

    A variable named is read as it is. Walking through thousands of values in search of
    templates costs Ansible half a second per thousand spaces in every task that mentions
    them, and what strangers wrote must not be templated anyway.

    Raises:
        AnsibleActionFail: it is neither.
    """
    found = variables.get(value) if isinstance(value, str) else value
    if isinstance(found, str):
        found = templar.template(found)
    if not isinstance(found, list):
        raise AnsibleActionFail(
            f"spaces: found {value!r}, which is neither a list of spaces nor the name of a "
            "variable that holds one; with an inventory of archipel.spaces.registry it is "
            "archipel_spaces"
        )
    return found


def refuse_unplaced(spaces: Spaces, placement: Unchecked) -> None:
    """Refuse spaces whose place nobody has written down: the next run could give it to others.

    The first play of each playbook records them; --tags, --start-at-task and playbooks of one's own
    may pass it by.

    Args:
        spaces: entries of the inventory.
        placement: archipel_placement, as the inventory made it.

    Raises:
        AnsibleActionFail: there are some.
    """
    pending = placement.get("pending") or {}
    here = sorted(pending.keys() & {space["slug"] for space in spaces})
    if not here:
        return
    path = Path(placement["path"])
    try:
        known = _lock_file.read_lock(path).spaces
    except RegistryError as error:
        raise AnsibleActionFail(str(error)) from error
    # Whether a space is restored is no matter of what the inventory decides.
    found = {slug: known[slug]._replace(lost="")._asdict() for slug in here if slug in known}
    missing = [slug for slug in here if found.get(slug) != {**pending[slug], "lost": ""}]
    if missing:
        raise AnsibleActionFail(
            f"{', '.join(missing)}: not in {shown(path)}; what is made without a line there could "
            "get another number and node in the next run. Nothing was done; begin with "
            "playbooks/prepare.yml, which records it, and leave out --start-at-task and --skip-tags"
        )


class SpacesAction(ActionBase, t.Generic[Payload]):
    """Turn the spaces and the settings of a node into the desired state of one module."""

    module = ""
    # The options of the task beside those that all bulk actions have.
    OWN: t.ClassVar[_options.Spec] = MappingProxyType({})
    # Whether the module makes things under a space's number, and so needs it to be recorded.
    needs_place = True
    # What templates of this task may name, and its checked options; set by `run`.
    variables: Variables = MappingProxyType({})
    options: Unchecked = MappingProxyType({})

    @classmethod
    def spec(cls) -> _options.Spec:
        """Return the options of the task."""
        return {**_options.SPACES, **cls.OWN}

    def desired(self, spaces: Spaces, context: Context, known: list[KnownSpace]) -> Payload:
        """Return the desired state that the module converges. Pure.

        Args:
            spaces: the spaces this run converges.
            context: the node and the policy.
            known: all spaces of the node, also those on hold or left out: a declaration
                that is one file for all must name them too.

        """
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: Result | None = None) -> Result:
        """Render, then run the module of the same name on the node.

        Raises:
            AnsibleActionFail: options are wrong, or the desired state cannot be rendered.

        """
        super().run(tmp, task_vars)
        self.variables = task_vars or {}
        options = _options.read(self.module, self._task.args, self.spec())
        self.options = options
        known = find_spaces(options["spaces"], task_vars or {}, self._templar)
        if self.needs_place and not self._task.check_mode:
            refuse_unplaced(known, self.variables.get("archipel_placement") or {})
        left_out = set(options["exclude"])
        # A space whose file has errors is left as it is: its user and folders stay declared.
        skipped: list[KnownSpace] = [
            {**one, "status": "suspended"} for one in t.cast("list[Skipped]", options["skipped"])
        ]
        chosen = [
            s for s in select(known, options["only"]) if not s["hold"] and s["slug"] not in left_out
        ]
        try:
            desired = self.desired(chosen, options["settings"], [*known, *skipped])
        except (KeyError, ValueError, TypeError) as error:
            raise AnsibleActionFail(
                f"archipel.spaces.{self.module}: {type(error).__name__}: {error}"
            ) from error
        return {**self.converge(desired, task_vars or {}), "known": len(known)}

    def converge(self, desired: Payload, task_vars: Variables) -> Result:
        """Run the module of the same name on the node, and return what it says."""
        result: Result = self._execute_module(
            module_name=f"archipel.spaces.{self.module}",
            module_args={"payload": pack(desired)},
            task_vars=task_vars,
        )
        return result
