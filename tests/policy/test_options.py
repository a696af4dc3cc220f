# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Options: said once in documentation and once in a specification, and both say the same.

Where a module has an action plugin, the plugin checks the options (`_options`): it
has them as `SPEC`, a bulk action as `spec()`. What travels to the node is `payload` then, and
nothing else. Other modules check their own; two that have both share what they check.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from tests.policy.tree import ROOT, shown, under

PLUGINS = "ansible_collections.archipel.spaces.plugins"
MODULES = sorted(path.stem for path in (ROOT / "plugins/modules").glob("*.py"))
ACTIONS = sorted(path.stem for path in (ROOT / "plugins/action").glob("*.py"))
# What says something of an option beside its name and its options.
FIELDS = ("type", "required", "default", "choices", "elements", "aliases")


def plugin(kind: str, name: str) -> ModuleType:
    return importlib.import_module(f"{PLUGINS}.{kind}.{name}")


def documented(name: str) -> dict[str, Any]:
    """Return the options of a module's documentation, with those of its fragments."""
    text = yaml.safe_load(plugin("modules", name).DOCUMENTATION)
    options: dict[str, Any] = {}
    for fragment in text.get("extends_documentation_fragment", []):
        part = plugin("doc_fragments", fragment.rpartition(".")[2]).ModuleDocFragment
        options |= yaml.safe_load(part.DOCUMENTATION)["options"]
    return options | text.get("options", {})


class CheckedError(Exception):
    """A module has begun to check its options."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        super().__init__()
        self.spec = spec


def checked_by_module(name: str) -> Mapping[str, Any] | None:
    """Return what a module gives AnsibleModule; None where it runs on the controller alone."""
    module = plugin("modules", name)
    if not hasattr(module, "main"):
        return None

    def refuse(*, argument_spec: Mapping[str, Any], **_options: Any) -> None:
        raise CheckedError(argument_spec)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(CheckedError) as found:
        patch.setattr(module, "AnsibleModule", refuse)
        module.main()
    return found.value.spec


def checked_by_action(name: str) -> Mapping[str, Any] | None:
    """Return what an action plugin checks; None where it leaves that to its module."""
    if name not in ACTIONS:
        return None
    made = plugin("action", name)
    kind = made.ActionModule
    if hasattr(kind, "spec"):
        return dict(kind.spec())
    spec = getattr(made, "SPEC", None)
    if spec is None and name == "templates":
        spec = plugin("plugin_utils._actions", "_templates").SPEC
    return spec


def plain(options: Mapping[str, Any], below: str) -> dict[str, Any]:
    """Return options as both forms say them."""
    return {
        name: {field: one[field] for field in FIELDS if one.get(field) not in (None, False, [], "")}
        | ({"options": plain(one[below], below)} if below in one else {})
        for name, one in options.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_documentation_and_specification_say_the_same(name: str):
    said = plain(documented(name), "suboptions")
    payload = said.pop("payload", None)
    action, module = checked_by_action(name), checked_by_module(name)
    spec = action if action is not None else module
    assert spec is not None
    assert plain(spec, "options") == said
    # What an action has rendered is the one option of its module, and no option of a task.
    rendered = action is not None and module is not None
    assert (payload is not None) == rendered
    if rendered:
        assert set(module or ()) == {"payload"}


@pytest.mark.parametrize("name", ACTIONS)
def test_a_misspelt_option_is_refused_with_the_right_one(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    """`exclud:` would else pass, and the spaces it names be converged all the same."""
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})
    right = sorted(set(documented(name)) - {"payload"}, key=len)[-1]
    given = {right: None, right[:-1]: None}
    made: Any = object.__new__(plugin("action", name).ActionModule)
    made._task = SimpleNamespace(args=given, check_mode=True, async_val=0, diff=False)
    made._connection = made._play_context = made._loader = made._templar = SimpleNamespace()
    with pytest.raises(AnsibleActionFail) as refusal:
        made.run(None, {})
    said = str(refusal.value)
    assert said.startswith(f'archipel.spaces.{name}: unknown option "{right[:-1]}"; allowed: ')
    assert f'Did you mean "{right}"?' in said


@pytest.mark.parametrize("name", ACTIONS)
def test_every_action_has_a_module_that_documents_it(name: str):
    assert name in MODULES
    assert Path(ROOT, f"plugins/modules/{name}.py").is_file()


def tasks(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return each of our modules that a file calls, with the options it is given."""
    if isinstance(value, list):
        for one in value:
            yield from tasks(one)
    elif isinstance(value, Mapping):
        for key, below in value.items():
            name = str(key).removeprefix("archipel.spaces.")
            if name != key and name in MODULES and isinstance(below, Mapping):
                yield name, below
            else:
                yield from tasks(below)


CALLS = [
    pytest.param(name, given, id=f"{shown(path)}: {name}")
    for path in under("roles", "playbooks", "molecule", suffix=".yml")
    if "archipel.spaces." in (text := path.read_text(encoding="utf-8")) and "vault" not in path.name
    for name, given in tasks(yaml.safe_load(text))
]


@pytest.mark.parametrize(("name", "given"), CALLS)
def test_our_own_tasks_give_options_that_there_are(name: str, given: Mapping[str, Any]):
    """What is required may come from module_defaults."""
    options = documented(name)
    aliases = {alias for one in options.values() for alias in one.get("aliases", ())}
    assert set(given) - set(options) - aliases == set()


def test_our_own_tasks_are_found():
    assert len(CALLS) > 30
