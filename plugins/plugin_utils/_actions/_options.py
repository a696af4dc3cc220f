# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""The options of a task, checked by every action plugin in the same way.

An action plugin has its specification as `SPEC`, in the form of Ansible's argument specs; the
documentation of its module says the same, which a test holds.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import (
    Draft,
    Unchecked,
)

Spec = Mapping[str, Unchecked]

# Of every bulk action: doc_fragments/spaces.py.
SPACES: dict[str, Draft] = {
    "spaces": {"type": "raw", "required": True},
    "settings": {"type": "dict", "required": True},
    "only": {"type": "str", "default": ""},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "skipped": {"type": "list", "elements": "dict", "default": []},
}


def read(action: str, given: Unchecked, spec: Spec) -> Draft:
    """Return the options of a task: each of its type, those that were left out with their default.

    What may be thousands of spaces (type raw) or all of the policy (a dict without options of its
    own) is passed on as it is, not copied.

    Args:
        action: the plugin, as messages name it.
        given: the arguments of the task.
        spec: of the plugin.

    Raises:
        AnsibleActionFail: options are unknown, missing or wrong: all of them.

    """
    refuse_unknown(action, given, spec)
    passed = {key: given[key] for key in given if key in spec and passes(given[key], spec[key])}
    rest = {key: value for key, value in given.items() if key not in passed}
    checked = ArgumentSpecValidator(
        {key: dict(one) for key, one in spec.items() if key not in passed}
    ).validate(rest)
    refuse(action, checked.error_messages)
    return {**checked.validated_parameters, **passed}


def refuse_unknown(action: str, given: Unchecked, spec: Spec) -> None:
    """Refuse options that there are not; of the others the module says what is wrong.

    Raises:
        AnsibleActionFail: there are some, at any depth.

    """
    refuse(action, find_unknown(given, spec))


def refuse(action: str, problems: Sequence[str]) -> None:
    """End the task, if there are problems.

    Raises:
        AnsibleActionFail: there are some.

    """
    if problems:
        raise AnsibleActionFail("\n".join(f"archipel.spaces.{action}: {one}" for one in problems))


def passes(value: t.Any, spec: Unchecked) -> bool:
    """Tell whether a value needs no further look. Pure."""
    if spec.get("type") == "dict" and "options" not in spec:
        return isinstance(value, Mapping)
    return spec.get("type") == "raw"


def find_unknown(given: Unchecked, spec: Spec, where: str = "") -> list[str]:
    """Return a sentence for each option that there is not, at any depth. Pure."""
    known = {name: one for key, one in spec.items() for name in (key, *one.get("aliases", ()))}
    found = [
        f"unknown option {quoted(f'{where}{name}')}; allowed: {', '.join(spec)}."
        f"{did_you_mean(str(name), known)}"
        for name in given
        if name not in known
    ]
    for name in given:
        options: Spec = known.get(name, {}).get("options") or {}
        values = given[name] if isinstance(given[name], Sequence) else [given[name]]
        for below in values:
            if options and isinstance(below, Mapping):
                found += find_unknown(below, options, f"{where}{name}.")
    return found
