# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The inventory of spaces: a folder of YAML files, one per association."""

from __future__ import annotations

DOCUMENTATION = r"""
name: registry
short_description: Nextcloud spaces from a folder of YAML files, one per association
version_added: 0.1.0
author:
  - The Archipel contributors
description:
  - Reads the registry, a folder with one file per association named C(<slug>.yml), validates every file,
    places new spaces on the machines of the groups C(web) and C(db), and tells each machine which spaces are its own.
  - Each machine gets C(archipel_spaces), C(archipel_databases) and C(archipel_skipped). Machines become members of the
    group C(nodes), which carries C(archipel_report) and C(archipel_placement).
  - Each approved or suspended space is a host as well, in the groups C(spaces), C(status_*), C(ring_*), C(office_*) and
    C(on_<node>), with the connection variables of its machine and its own entry in the variable C(space).
  - What is written in the registry is untrusted text and is never templated.
  - The plugin writes nothing. New placements are recorded by M(archipel.spaces.placement).
notes:
  - The policy, such as C(archipel_base_domain), is read from C(group_vars/all) beside the inventory and from extra variables.
    Variables beside a playbook are not seen.
  - Machines must be known before. Their file, C(nodes.yml), sorts before C(spaces.yml) in the same folder.
  - Ansible only stops at a broken inventory with C(any_unparsed_is_failed = true), in the section C(inventory) of C(ansible.cfg).
    Without it the run goes on with the machines alone, none of which has C(archipel_spaces).
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: Marks the file as one for this plugin.
    required: true
    choices: [archipel.spaces.registry]
  registry:
    description: The folder of the files, relative to the inventory file.
    type: str
    default: spaces
  placement:
    description: The lock file that remembers where each space lives, relative to the inventory file.
    type: str
    default: placement.yml
  on_invalid:
    description:
      - What to do when a file is wrong.
      - V(fail) refuses the whole inventory before anything is touched.
      - V(skip) goes on without it. A space that exists stays as it is on its machine, is listed in C(archipel_skipped) there,
        and its problems are in C(archipel_report).
    type: str
    choices: [fail, skip]
    default: fail
  allow_empty:
    description: Accept a registry without any file.
    type: bool
    default: false
"""

EXAMPLES = r"""
# inventories/production/spaces.yml
plugin: archipel.spaces.registry

---
# Groups of your own, and parsed files remembered between runs.
plugin: archipel.spaces.registry
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: .cache/inventory
groups:
  large: space.storage_gb >= 100
keyed_groups:
  - key: space.locale
    prefix: locale
"""

import datetime
import functools
import json
import os
import typing as t

from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.helpers import get_group_vars, sort_groups
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.template import trust_as_template
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources

from ansible_collections.archipel.spaces.plugins.plugin_utils import (
    _entries,
    _placement,
    _policy,
    _registry,
    _rules,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._problem import (
    Problem,
    RegistryError,
    did_you_mean,
    display_path,
    printable,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ansible.inventory.data import InventoryData
    from ansible.inventory.host import Host
    from ansible.parsing.dataloader import DataLoader

SUFFIXES = ("spaces.yml", "spaces.yaml")
NODE_GROUPS = ("web", "db", "office", "talk", "edge")
# Everything that lives on machines carries these; each is also readable from anywhere else.
SHARED = ("archipel_report", "archipel_placement")
HOST_STATUSES = ("approved", "suspended")


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Options, errors, hosts and groups; all thinking is done in plugin_utils."""

    NAME = "archipel.spaces.registry"

    # What associations write must never run as a template.
    trusted_by_default = False

    def verify_file(self, path: str) -> bool:
        """Ours are the files named spaces.yml."""
        return bool(super().verify_file(path)) and path.endswith(SUFFIXES)

    def parse(
        self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True
    ) -> None:
        """Read one environment."""
        super().parse(inventory, loader, path, cache=cache)
        self._check_options(self._read_config_data(path), path)
        try:
            self._check_alone(path)
            self._read_vars(path)
            result = self._resolve(path, cache)
            self._add_nodes(result)
            self._add_spaces(result)
        except RegistryError as error:
            self._forget()
            count = len(error.problems)
            title = f"{count} problem{'s' if count > 1 else ''} in the registry of {display_path(path)}; nothing has been changed."
            # As help text, Ansible prints the list once instead of twice.
            raise AnsibleParserError(title, help_text=str(error)) from None
        except Exception:
            self._forget()
            raise

    # --- reading ---------------------------------------------------------------------

    def _check_options(self, config: Mapping[str, t.Any], path: str) -> None:
        for key in config:
            if key not in self._options and key != "plugin":
                known = sorted(self._options)
                raise AnsibleParserError(
                    f'{display_path(path)}: unknown option "{key}".{did_you_mean(key, known)}'
                )

    def _resolve(self, path: str, cache: bool) -> _entries.Result:
        root = os.path.dirname(os.path.abspath(path))
        use_cache, key = self.get_option("cache"), self.get_cache_key(path)
        stored = self._cache.get(key) if use_cache and cache else None
        options = _entries.Options(
            folder=os.path.normpath(os.path.join(root, self.get_option("registry"))),
            lock_path=os.path.join(root, self.get_option("placement")),
            root=root,
            skip_invalid=self.get_option("on_invalid") == "skip",
            allow_empty=self.get_option("allow_empty"),
            cache=_registry.Cache(_rules.schema_version(), stored),
        )
        result = _entries.resolve(options, self._world(options))
        if use_cache:
            self._cache[key] = options.cache.dumps()
        return result

    def _world(self, options: _entries.Options) -> _rules.World:
        where = os.path.join(options.root, "group_vars", "all")
        names = {name: "a machine" for name in self.inventory.hosts}
        names.update(
            {name: "a group" for name in (*self.inventory.groups, *NODE_GROUPS, "nodes", "spaces")}
        )
        return _rules.World(
            policy=_policy.Policy.from_vars(
                self._plain(_policy.NAMES, self._all_vars, where), where
            ),
            lock=_placement.read_lock(options.lock_path),
            lock_path=options.lock_path,
            web=self._nodes("web"),
            db=self._nodes("db"),
            names={**names, "localhost": "the controller"},
            today=datetime.datetime.now(tz=datetime.timezone.utc).date(),
        )

    def _plain(
        self, names: Iterable[str], variables: Mapping[str, t.Any], where: str
    ) -> dict[str, t.Any]:
        """Evaluate some variables to plain values, without trust, origin or lazy containers."""
        self.templar.available_variables = variables
        plain = {}
        for name in names:
            if name in variables:
                try:
                    plain[name] = json.loads(json.dumps(self.templar.template(variables[name])))
                except (AnsibleError, TypeError) as error:
                    raise RegistryError(
                        [Problem(where, f"cannot be evaluated: {error}", key=name)]
                    ) from error
        return plain

    # --- machines --------------------------------------------------------------------

    def _read_vars(self, path: str) -> None:
        """Variables of all and of each machine, as every play will see them."""
        all_group = self.inventory.groups["all"]
        self._sources = [*self.inventory.processed_sources, path]
        self._shared_vars = combine_vars(all_group.get_vars(), self._files_of(all_group))
        magic = {"inventory_dir": os.path.dirname(os.path.abspath(path)), "inventory_file": path}
        self._all_vars = {**combine_vars(self._shared_vars, self._vars), **magic}
        self._machine_vars = {host.name: self._vars_of(host) for host in self._machines()}

    def _files_of(self, *entities: t.Any) -> dict[str, t.Any]:
        """group_vars/ and host_vars/, whatever stage they load at."""
        found = get_vars_from_inventory_sources(self.loader, self._sources, list(entities), "all")
        return t.cast("dict[str, t.Any]", found)

    def _vars_of(self, host: Host) -> dict[str, t.Any]:
        groups = sort_groups(group for group in host.get_groups() if group.name != "all")
        layers = (
            self._shared_vars,
            get_group_vars(groups),
            self._files_of(*groups),
            host.get_vars(),
            self._files_of(host),
        )
        return t.cast("dict[str, t.Any]", functools.reduce(combine_vars, layers))

    def _machines(self) -> list[Host]:
        groups = [
            self.inventory.groups[name] for name in NODE_GROUPS if name in self.inventory.groups
        ]
        return list({host.name: host for group in groups for host in group.get_hosts()}.values())

    def _nodes(self, role: str) -> list[_placement.Node]:
        group = self.inventory.groups.get(role)
        nodes = (
            [_placement.Node(host.name, self._capacity(host)) for host in group.get_hosts()]
            if group
            else []
        )
        without = [node.name for node in nodes if node.capacity is None]
        if role == "web" and without and len(without) < len(nodes):
            text = f"set on some web machines but not on {', '.join(without)}; set it on all of them or on none"
            raise RegistryError([Problem(self._sources[-1], text, key="archipel_capacity")])
        return nodes

    def _capacity(self, host: Host) -> int | None:
        variables = {**self._machine_vars[host.name], **self._vars}
        value = self._plain(["archipel_capacity"], variables, f"host {host.name}").get(
            "archipel_capacity"
        )
        if value is None or (type(value) is int and value > 0):
            return value
        text = f"found {printable(value)} on {host.name}; allowed: a whole number of spaces, at least 1"
        raise RegistryError([Problem(self._sources[-1], text, key="archipel_capacity")])

    def _check_alone(self, path: str) -> None:
        """Two environments in one run would put spaces on the wrong machines."""
        earlier = (
            self.inventory.groups["nodes"].vars.get("archipel_placement")
            if "nodes" in self.inventory.groups
            else None
        )
        remedy = "give one environment at a time with -i"
        if earlier:
            other = os.path.dirname(earlier["path"])
            raise RegistryError(
                [Problem(path, f"a second environment beside {display_path(other)}; {remedy}")]
            )
        root = os.path.dirname(os.path.abspath(path))
        for host in self._machines():
            folder = str(host.vars.get("inventory_dir") or root)
            if os.path.realpath(folder) != os.path.realpath(root):
                for name in SUFFIXES:
                    other = os.path.join(folder, name)
                    if os.path.exists(other):
                        text = f"the machine {host.name} belongs to another environment, {display_path(other)}; {remedy}"
                        raise RegistryError([Problem(path, text)])

    def _add_nodes(self, result: _entries.Result) -> None:
        """Tell each machine which spaces are its own.

        Values go to the host objects directly: the inventory's set_variable() would walk through
        every string of every space to tag it, four times as slow. Untagged means untrusted.
        """
        self.inventory.add_group("nodes")
        for name in NODE_GROUPS:
            if name in self.inventory.groups:
                self.inventory.add_child("nodes", name)
        for host in self._machines():
            host.set_variable("archipel_spaces", result.on(host.name, "web"))
            host.set_variable("archipel_databases", result.on(host.name, "db"))
            host.set_variable("archipel_skipped", result.skipped.get(host.name, []))
        nodes = self.inventory.groups["nodes"]
        nodes.set_variable("archipel_report", result.report)
        nodes.set_variable("archipel_placement", result.placement())
        for name in SHARED:
            # Readable from localhost too, without a copy on each of 10,000 hosts.
            self.inventory.set_variable(
                "all", name, trust_as_template("{{ hostvars[groups['nodes'][0]]['%s'] }}" % name)
            )

    def _forget(self) -> None:
        """After an error no machine may be left with a list of spaces: the roles then refuse to run."""
        for host in self.inventory.hosts.values():
            for name in ("archipel_spaces", "archipel_databases", "archipel_skipped"):
                host.vars.pop(name, None)
        for group in ("all", "nodes"):
            for name in SHARED:
                if group in self.inventory.groups:
                    self.inventory.groups[group].vars.pop(name, None)

    # --- spaces ----------------------------------------------------------------------

    def _add_spaces(self, result: _entries.Result) -> None:
        """Each approved or suspended space is a host that leads to its machine."""
        self.inventory.add_group("spaces")
        values = (
            *(f"status_{status}" for status in HOST_STATUSES),
            *(f"ring_{ring}" for ring in _policy.RINGS),
        )
        for name in (*values, *(f"office_{office}" for office in result.offices)):
            self._add_group(name)
        homes = self._add_homes()
        for entry in result.entries:
            if entry["status"] in HOST_STATUSES:
                group, variables = homes[entry["web"]]
                self._add_space(entry, group, variables)

    def _add_group(self, name: str) -> str:
        self.inventory.add_group(name)
        self.inventory.add_child("spaces", name)
        return name

    def _add_homes(self) -> dict[str, tuple[str, dict[str, t.Any]]]:
        """A group per web machine: machine -> (group, variables that its spaces need themselves)."""
        homes: dict[str, tuple[str, dict[str, t.Any]]] = {}
        machines: dict[str, str] = {}
        for host in self.inventory.groups["web"].get_hosts():
            group = self._sanitize_group_name(f"on_{host.name}")
            other = machines.setdefault(group, host.name)
            if other != host.name:
                text = f"the machines {other} and {host.name} would share the group {group}; rename one of them"
                raise RegistryError([Problem(self._sources[-1], text)])
            homes[host.name] = self._add_group(group), self._add_connection(group, host)
        return homes

    def _add_connection(self, group: str, host: Host) -> dict[str, t.Any]:
        """How to reach a machine, on the group of its spaces.

        group_vars/all outranks that group: what it says otherwise is returned, for the spaces themselves.
        """
        machine = {"ansible_host": host.name, **self._machine_vars[host.name]}
        stronger = {}
        for name, value in machine.items():
            if not name.startswith("ansible_") or name == "ansible_group_priority":
                continue
            if name not in self._shared_vars:
                self.inventory.set_variable(group, name, _redirect(host.name, name, value))
            elif self._shared_vars[name] != value:
                stronger[name] = _redirect(host.name, name, value)
        return stronger

    def _add_space(self, entry: _entries.Entry, group: str, variables: Mapping[str, t.Any]) -> None:
        slug = entry["slug"]
        for name in (
            group,
            f"status_{entry['status']}",
            f"ring_{entry['ring']}",
            f"office_{entry['office']}",
        ):
            self.inventory.add_host(slug, name)
        host = self.inventory.hosts[slug]
        host.set_variable("space", entry)
        for name, value in variables.items():
            host.set_variable(name, value)
        self._construct(host)

    def _construct(self, host: Host) -> None:
        """Groups and variables that the inventory file composes."""
        compose, groups, keyed = (
            self.get_option(name) for name in ("compose", "groups", "keyed_groups")
        )
        if not (compose or groups or keyed):
            return
        strict, name = self.get_option("strict"), host.name
        self._set_composite_vars(compose, host.get_vars(), name, strict=strict)
        self._add_host_to_composed_groups(groups, {}, name, strict=strict)
        self._add_host_to_keyed_groups(keyed, {}, name, strict=strict)
        wrong = [group.name for group in host.get_groups() if group.name in (*NODE_GROUPS, "nodes")]
        if wrong:
            text = f"groups or keyed_groups put the space {name} into {wrong[0]}, a group of machines; give keyed_groups a prefix"
            raise RegistryError([Problem(self._sources[-1], text)])


def _redirect(machine: str, name: str, value: t.Any) -> t.Any:
    """A plain value as it is; anything that may be a template or a secret is left to the machine."""
    if (
        value is None
        or isinstance(value, (bool, int))
        or (isinstance(value, str) and "{" not in value)
    ):
        return value
    return trust_as_template("{{ hostvars[%s][%s] }}" % (json.dumps(machine), json.dumps(name)))
