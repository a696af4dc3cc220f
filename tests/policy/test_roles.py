# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""One shape for every role, and an interface that cannot drift from the code."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.policy.tree import ROOT, load, matching, roles, shown, under

EXPECTED_ROLES = {
    "backup",
    "certificates",
    "collabora",
    "common",
    "edge",
    "intake",
    "mariadb",
    "nextcloud",
    "nginx",
    "onlyoffice",
    "php",
    "quotas",
    "redis",
    "spaces",
}
EXPECTED_FILES = (
    "README.md",
    "defaults/main.yml",
    "meta/argument_specs.yml",
    "meta/main.yml",
    "tasks/main.yml",
)
# Formats that know no comment.
WITHOUT_COMMENTS = {"group", "passwd"}
# Ansible's own word, or what our renderer of per-space files puts in its place.
MANAGED = re.compile(r"{{ (ansible_managed|managed)\b")
# Those with a value in their absence can be missed.
FACT = re.compile(r"ansible_facts\['(\w+)'\](?! \| default\()")
# What reads facts of a node.
READERS = {"ansible.builtin.setup", "archipel.spaces.node_facts"}
INCLUDE = re.compile(r"{%-? include '([^']+)'")


def test_every_role_is_there():
    assert {role.name for role in roles()} == EXPECTED_ROLES


@pytest.mark.parametrize("role", roles(), ids=shown)
class TestRole:
    def test_has_the_usual_files(self, role: Path):
        missing = [name for name in EXPECTED_FILES if not (role / name).is_file()]
        assert missing == []

    def test_specification_and_defaults_agree(self, role: Path):
        """What is documented is what is there: same names, same values."""
        specified = {
            name: option["default"]
            for options in entry_points(role).values()
            for name, option in options.items()
            if "default" in option
        }
        assert specified == defaults(role)

    def test_every_entry_point_and_option_is_described(self, role: Path):
        specs = load(role / "meta/argument_specs.yml")["argument_specs"]
        silent = [point for point, spec in specs.items() if not spec.get("description")]
        silent += [
            f"{point}: {name}"
            for point, spec in specs.items()
            for name, option in spec.get("options", {}).items()
            if not option.get("description")
        ]
        assert silent == []

    def test_every_entry_point_is_a_task_file(self, role: Path):
        points = entry_points(role)
        assert [p for p in points if not (role / f"tasks/{p}.yml").is_file()] == []

    def test_readme_explains_every_option(self, role: Path):
        readme = (role / "README.md").read_text(encoding="utf-8")
        silent = [
            name
            for options in entry_points(role).values()
            for name in options
            if f"`{name}`" not in readme
        ]
        assert silent == []

    def test_readme_and_specification_say_the_same(self, role: Path):
        """Of the options of its table; those of other entry points may be in sentences."""
        rows, options = table(role), described(role)
        assert {name: plain(rows[name][1]) for name in rows} == {n: options[n] for n in rows}
        assert entry_points(role)["main"].keys() - rows.keys() == set()

    def test_readme_names_the_defaults(self, role: Path):
        """Long ones are looked up."""
        wrong = {
            name: shown_default
            for name, (shown_default, _) in table(role).items()
            if name in defaults(role)
            and shown_default != "see `defaults/main.yml`"
            and not same_value(shown_default.strip("`"), defaults(role)[name])
        }
        assert wrong == {}

    def test_every_option_has_a_description_of_its_own(self, role: Path):
        """One sentence for two of them says of neither what it is, nor its unit."""
        names = described(role)
        shared = [n for n in names if list(names.values()).count(names[n]) > 1]
        assert shared == []

    def test_required_options_have_no_default(self, role: Path):
        wrong = [
            name
            for options in entry_points(role).values()
            for name, option in options.items()
            if option.get("required") and name in defaults(role)
        ]
        assert wrong == []

    def test_private_variables_look_private(self, role: Path):
        path = role / "vars/main.yml"
        private = (load(path) or {}) if path.is_file() else {}
        assert [name for name in private if not name.startswith(f"__{role.name}_")] == []

    def test_meta_says_licence_and_platforms(self, role: Path):
        info = load(role / "meta/main.yml")["galaxy_info"]
        assert info["license"] == "AGPL-3.0-or-later"
        assert info["min_ansible_version"] == "2.19"
        debian = [each for each in info["platforms"] if each["name"] == "Debian"]
        assert debian[0]["versions"] == ["bookworm", "trixie"]

    def test_facts_that_it_reads_are_facts_that_it_gathers(self, role: Path):
        """A play may have gathered some: one that a message alone reads is missed too late."""
        texts = [path.read_text(encoding="utf-8") for path in under(shown(role))]
        read = {name for text in texts for name in FACT.findall(text)}
        preflight = role / "tasks/preflight.yml"
        tasks = (load(preflight) or []) if preflight.is_file() else []
        # One that reads them each time has no condition.
        asked = [task.get("when") for task in tasks if READERS & task.keys()]
        assert all(read <= set(re.findall(r"'(\w+)'", str(when))) for when in asked if when)
        assert asked or not read

    def test_role_does_not_pull_in_other_roles(self, role: Path):
        """Playbooks wire roles together, in the open."""
        assert not load(role / "meta/main.yml").get("dependencies")


@pytest.mark.parametrize(
    "path", [p for p in under("roles", suffix=".j2") if p.stem not in WITHOUT_COMMENTS], ids=shown
)
def test_template_says_that_it_is_managed(path: Path):
    """Who opens the file on a node learns that a change there will be lost."""
    assert MANAGED.search(with_includes(path))


@pytest.mark.parametrize(
    "path", matching("roles/*/templates/etc/systemd/system/**/*.j2"), ids=shown
)
def test_a_unit_that_systemd_starts_again_and_again_is_told_of(path: Path):
    """By itself, or by the socket that fails with it.

    systemd of Debian 12 takes a unit for failed only once it has given it up.
    """
    text = path.read_text(encoding="utf-8")
    socket = path.with_name(path.name.replace(".service.j2", ".socket.j2"))
    if socket != path and socket.is_file():
        text += socket.read_text(encoding="utf-8")
    never_given_up = "StartLimitIntervalSec=0" in text
    telling = r"ExecStopPost=.* start --no-block " if never_given_up else "OnFailure="
    assert "Restart=" not in text or re.search(telling + "archipel-alert@", text)


@pytest.mark.parametrize("path", under("roles", suffix=".j2"), ids=shown)
def test_template_gives_the_same_text_each_time(path: Path):
    """A date or an unordered walk would make every run a change."""
    text = path.read_text(encoding="utf-8")
    assert [word for word in ("ansible_date_time", "now(", ".items()") if word in text] == []


def test_modules_declare_what_they_support():
    """Check mode and diff are promises; one that is not full says why."""
    wrong = [
        f"{module}: {promise}"
        for module, attributes in module_attributes().items()
        for promise in ("check_mode", "diff_mode")
        if promise not in attributes
        or (attributes[promise]["support"] != "full" and not attributes[promise].get("details"))
    ]
    assert wrong == []


def module_attributes() -> dict[str, dict[str, dict[str, str]]]:
    """Ask ansible-doc: it also knows what a module takes over from a fragment."""
    modules = [f"archipel.spaces.{path.stem}" for path in matching("plugins/modules/*.py")]
    documented = subprocess.run(
        ["ansible-doc", "--json", "--type", "module", *modules],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=120,
    ).stdout
    return {
        name: entry["doc"].get("attributes", {}) for name, entry in json.loads(documented).items()
    }


def with_includes(path: Path) -> str:
    """Return a template's text and that of the templates it includes."""
    text = path.read_text(encoding="utf-8")
    templates = next(folder for folder in path.parents if folder.name == "templates")
    return text + "".join(with_includes(templates / name) for name in INCLUDE.findall(text))


def entry_points(role: Path) -> dict[str, dict[str, dict[str, object]]]:
    specs = load(role / "meta/argument_specs.yml")["argument_specs"]
    return {point: spec.get("options", {}) for point, spec in specs.items()}


def described(role: Path) -> dict[str, str]:
    """Return option → its description, without markup."""
    found: dict[str, str] = {}
    for options in entry_points(role).values():
        for name, option in options.items():
            text = option["description"]
            found.setdefault(name, plain(" ".join(text) if isinstance(text, list) else str(text)))
    return found


def table(role: Path) -> dict[str, tuple[str, str]]:
    """Return option → default and description, as the README has them."""
    text = (role / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| ([^|]*) \|$", text, re.MULTILINE)
    options = described(role)
    return {name: (default, meaning) for name, default, meaning in rows if name in options}


def plain(text: str) -> str:
    text = re.sub(r"\b[CIVO]\(([^)]*)\)", r"\1", text).replace("`", "").replace('"', "'")
    return " ".join(text.split())


def same_value(shown_default: str, value: object) -> bool:
    """Tell whether a text is a value as YAML writes it, or the value itself."""
    try:
        return bool(yaml.safe_load(shown_default) == value) or shown_default == str(value)
    except yaml.YAMLError:
        return shown_default == str(value)


def defaults(role: Path) -> dict[str, object]:
    return load(role / "defaults/main.yml") or {}


def test_a_role_that_needs_the_distribution_learns_it_first():
    """Plays that gather no facts use it too, those of upgrades for instance."""
    tasks = load(ROOT / "roles/nextcloud/tasks/preflight.yml")
    learns = next(n for n, task in enumerate(tasks) if "ansible.builtin.setup" in task)
    uses = [n for n, task in enumerate(tasks) if "nextcloud_php_version" in json.dumps(task)]
    assert uses
    assert learns < min(uses)
    assert tasks[learns]["when"] == "'distribution_release' not in ansible_facts"


def test_packages_of_all_roles_are_installed_in_one_transaction():
    """One that is left out has one of its own, with all that apt does before and after."""
    first = next(play for play in load(ROOT / "playbooks/platform.yml") if "roles" in play)
    named = set(re.findall(r"\b(\w+)_packages\b", first["vars"]["__platform_packages"]))
    imported = {task["ansible.builtin.import_role"]["name"] for task in first["tasks"]}
    # Office servers are on nodes of their own, with packages that nobody else has.
    others = {"common", "collabora", "onlyoffice"}
    having = {r.name for r in roles() if f"{r.name}_packages" in defaults(r)} - others
    assert len(having) > 5
    assert named == having
    assert imported == {f"archipel.spaces.{name}" for name in having}
    assert all((ROOT / f"roles/{name}/tasks/packages.yml").is_file() for name in having)


@pytest.mark.parametrize("role", ["collabora", "onlyoffice"])
def test_a_repository_is_read_until_its_package_is_there(role: str):
    """A run may end between the two; a source that apt refuses is taken out."""
    tasks = load(ROOT / f"roles/{role}/tasks/install.yml")
    (read,) = [task for task in tasks if "rescue" in task]
    assert any("['stat']['exists']" in condition for condition in read["when"])
    assert "ansible.builtin.file" in read["rescue"][0]
    assert read["rescue"][0]["ansible.builtin.file"]["state"] == "absent"
    assert "ansible.builtin.fail" in read["rescue"][-1]


@pytest.mark.parametrize("path", matching("roles/*/tasks/*.yml"), ids=shown)
def test_programs_of_packages_are_compared_by_when_they_came(path: Path):
    """Their own time is that of their making: an upgrade would not be newer than what runs."""
    role = path.parents[1]
    for task in load(path) or ():
        command = str(task.get("ansible.builtin.command", ""))
        watched = [name for name in re.findall(r"__\w+", command) if name.endswith("_watched")]
        defined = load(role / "vars/main.yml") if watched else {}
        if any("/usr/" in str(defined.get(name, "")) for name in watched):
            assert "-newerct" in command
