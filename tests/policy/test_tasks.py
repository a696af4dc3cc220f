# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What tasks may and may not do, whoever writes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.policy.tree import ROOT, Task, load, matching, roles, shown, tasks, under

# The lists that have one entry per space.
PER_SPACE = re.compile(
    r"\b(archipel_spaces|archipel_databases|archipel_report|\w*_spaces|spaces)\b"
)
COMMANDS = ("command", "shell", "script", "raw", "expect")
TASK_FILE_LINES = 120

ALL_TASKS = list(tasks())


def names(wrong: list[Task]) -> list[str]:
    return [task.name for task in wrong]


def test_there_are_tasks_to_police():
    assert len(ALL_TASKS) > 50


def test_no_task_is_looped_over_spaces():
    """One task per kind of resource converges all the spaces of a node."""
    looped = [
        task
        for task in ALL_TASKS
        for key, value in task.body.items()
        if (key == "loop" or key.startswith("with_")) and PER_SPACE.search(str(value))
    ]
    assert names(looped) == []


def test_no_template_is_looped_over_spaces():
    """Ansible's templating never runs per space: 10,000 spaces would take minutes."""
    loop = re.compile(r"{%-?\s*for\s[^%]*\bin\b([^%]*)%}")
    looped = [
        shown(path)
        for path in under("roles", suffix=".j2")
        for over in loop.findall(path.read_text(encoding="utf-8"))
        if PER_SPACE.search(over)
    ]
    assert looped == []


def test_no_error_is_ignored():
    """A condition that is fine is named in failed_when."""
    ignored = [task for task in ALL_TASKS if "ignore_errors" in task.body]
    # Whether a machine answers may be asked: what follows is left out where it does not.
    ignored += [
        task
        for task in ALL_TASKS
        if "ignore_unreachable" in task.body and "ansible.builtin.ping" not in task.body
    ]
    assert names(ignored) == []


def test_every_command_says_when_it_changes_something():
    silent = [
        task for task in ALL_TASKS if task.uses(*COMMANDS) and "changed_when" not in task.body
    ]
    assert names(silent) == []


def test_what_never_ran_is_older_than_nothing():
    """In check mode a unit may be there that was never started: it has no time to compare with."""
    unsaid = [
        task
        for task in ALL_TASKS
        if "-newermt" in str(task.body) and re.search(r"\['stdout'\](?! or 'now')", str(task.body))
    ]
    assert names(unsaid) == []


@pytest.mark.parametrize("role", roles(), ids=shown)
def test_no_result_takes_the_name_of_a_variable_of_its_role(role: Path):
    """It would be that variable for all that follows, and for the role when it runs again."""
    files = [role / part / "main.yml" for part in ("defaults", "vars")]
    known = {name for file in files if file.is_file() for name in load(file) or {}}
    registered = {
        name
        for part in ("tasks", "handlers")
        for file in (role / part).glob("*.yml")
        for name in re.findall(r"^\s*register: (\w+)$", file.read_text("utf-8"), re.MULTILINE)
    }
    assert registered & known == set()


@pytest.mark.parametrize("role", roles(), ids=shown)
def test_no_policy_takes_the_name_of_a_variable_of_a_role(role: Path):
    """Within the role it would be the role's: of two things with one name, one is the wrong one."""
    own = role / "vars/main.yml"
    given = {name for file in matching("group_vars/all/*.yml") for name in load(file) or {}}
    assert given & {*((load(own) or {}) if own.is_file() else {})} == set()


def test_every_task_has_a_name():
    unnamed = [
        task
        for task in ALL_TASKS
        if not task.body.get("name") and not {"import_tasks", "meta"} & task.body.keys()
    ]
    assert names(unnamed) == []


@pytest.mark.parametrize(
    "path",
    [path for path in under("roles", suffix=".yml") if path.parent.name == "tasks"],
    ids=shown,
)
class TestTaskFile:
    def test_is_short_enough_to_read(self, path: Path):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= TASK_FILE_LINES

    def test_names_its_tasks_after_itself(self, path: Path):
        """In the output of a run, the prefix tells which file to open."""
        expected = "" if path.name == "main.yml" else f"{path.stem} | "
        wrong = [
            task.name
            for task in ALL_TASKS
            if task.path == path and not task.body.get("name", "").startswith(expected)
        ]
        assert wrong == []


def test_no_role_knows_the_groups_of_an_inventory():
    """A role gets what it needs as a variable: the same role serves any layout."""
    mention = re.compile(r"\bgroups(\[|\.|\s*\|)|\bgroup_names\b")
    wrong = [
        shown(path)
        for path in under("roles")
        if path.suffix in {".yml", ".j2"} and mention.search(path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_values_are_taken_by_bracket():
    """``item.keys`` is a method of a dictionary; ``item['keys']`` is what was meant."""
    wrong = [
        shown(path)
        for path in under("roles", "playbooks")
        if path.suffix in {".yml", ".j2"}
        and re.search(r"\bitem\.[a-z_]", path.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_the_master_key_is_nowhere_in_clear():
    """An environment reads it from a vault, or makes its own on first use."""
    for path in under("group_vars", "inventories", suffix=".yml"):
        if "spaces" in path.relative_to(ROOT).parts:
            continue
        variables = load(path)
        if isinstance(variables, dict) and "archipel_master_key" in variables:
            value = str(variables["archipel_master_key"])
            assert value.startswith(("{{", "$ANSIBLE_VAULT")), shown(path)
