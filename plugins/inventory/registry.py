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
requirements:
  - jsonschema-rs, publicsuffixlist (Python packages on the controller)
description:
  - Reads the registry, a folder with one file per association named C(<slug>.yml), validates every
    file, places new spaces on the nodes of the groups C(web) and C(db), and gives each node
    the list of its spaces.
  - Each node gets C(archipel_spaces), C(archipel_databases), C(archipel_skipped) and
    C(archipel_domains), the host names of its spaces outside the base domain.
    C(archipel_report) and C(archipel_placement) can be read from anywhere.
  - Each approved or suspended space is a host as well, in the groups C(spaces), C(status_*),
    C(ring_*), C(office_*) and C(on_<node>), with the connection variables of its node and its
    own entry in the variable C(space). With C(-e only=…), C(chosen_nodes) are the nodes of those.
  - What is written in the registry is untrusted text and is never templated.
  - The plugin writes nothing. New placements are recorded by M(archipel.spaces.placement).
notes:
  - The policy, such as C(archipel_base_domain), is read from C(group_vars/all) beside the inventory
    and from extra variables. Variables beside a playbook are not seen.
  - Nodes must be known before. Their file, C(nodes.yml), sorts before C(spaces.yml).
  - Ansible reads every file below an inventory as an inventory of its own, and runs those that are
    executable. The registry therefore lies elsewhere; the plugin ends the run where any C(-i), or
    any link, leads into it.
  - A broken registry ends the run at once, before any node is touched, whatever
    C(ansible.cfg) says.
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: Marks the file as one for this plugin.
    required: true
    choices: [archipel.spaces.registry]
  registry:
    description:
      - The folder of the registry, relative to the inventory file. It holds C(spaces/), the
        associations' files, C(placement.yml), which remembers where spaces live, and
        C(ledger.txt), which remembers what was purged.
      - It may not lie below an inventory, nor be reached from there by a link.
      - By default C(../../registry/<name>), after the name of the inventory file's folder.
    type: str
  on_invalid:
    description:
      - What to do when a file is wrong.
      - V(fail) refuses the whole inventory before anything is touched.
      - V(skip) goes on without it. A space that exists stays as it is on its node, is listed in
        C(archipel_skipped) there, and its problems are in C(archipel_report).
    type: str
    choices: [fail, skip]
    default: fail
  allow_empty:
    description: Accept a registry without any file.
    type: bool
    default: false
"""

EXAMPLES = r"""
# inventories/production/spaces.yml; the associations' files are in registry/production/spaces
plugin: archipel.spaces.registry

---
# A registry in a repository of its own, beside this one.
plugin: archipel.spaces.registry
registry: ../../../associations/production

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

import sys
import typing as t

from ansible import context as command
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.template import trust_as_template

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _messages
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    RegistryError,
    sentence,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _chosen,
    _context,
    _distant,
    _domain_rules,
    _entries,
    _garbage,
    _nodes,
    _rules,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _policy, _upgrades
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _environment,
    _registry,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible.inventory.data import InventoryData
    from ansible.inventory.host import Host
    from ansible.parsing.dataloader import DataLoader

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._space import SpaceEntry

SUFFIXES = ("spaces.yml", "spaces.yaml")
# What Ansible ends with where its options make no sense.
EXIT_CODE = 4
# Spaces that can be reached as hosts.
HOST_STATUSES = ("approved", "suspended")
OF_NODES = (
    "archipel_spaces",
    "archipel_databases",
    "archipel_skipped",
    "archipel_domains",
    "archipel_office_servers",
    "archipel_office_spaces",
    "archipel_database_clients",
    "archipel_database_role",
)
SHARED = (
    "archipel_report",
    "archipel_placement",
    "archipel_part_addresses",
    "archipel_database_addresses",
    "archipel_build",
)


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Options, errors, hosts and groups; the thinking is done in plugin_utils."""

    NAME = "archipel.spaces.registry"

    trusted_by_default = False  # what associations write must never run as a template

    def verify_file(self, path: str) -> bool:
        """Ours are the files named spaces.yml."""
        return bool(super().verify_file(path)) and path.endswith(SUFFIXES)

    def parse(
        self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True
    ) -> None:
        """Read one environment, or end the run.

        An error of a plugin does not end it without any_unparsed_is_failed, which is missing
        whenever ansible.cfg is, and where it does, it stands among the warnings of the plugins
        that were tried before.
        """
        try:
            self.read(inventory, loader, path, cache=cache)
        except AnsibleError as error:
            self._end(f"{error.message}\n{error._help_text or ''}")
        except OSError as error:
            text = _("{file}: {error}; nothing has been changed.", file=shown(path), error=error)
            self._end(sentence(text))

    def _end(self, text: str) -> t.NoReturn:
        self.display.error(text.rstrip(), wrap_text=False)
        sys.exit(EXIT_CODE)

    @_garbage.uncollected()
    def read(
        self, inventory: InventoryData, loader: DataLoader, path: str, *, cache: bool = True
    ) -> None:
        """Read one environment.

        Raises:
            AnsibleParserError: something of it is wrong; no node keeps a list of spaces.
        """
        super().parse(inventory, loader, path, cache=cache)
        nodes = _nodes.Nodes(inventory, loader, path, self._vars)
        _messages.choose(nodes.language())
        self._load_filters()
        try:
            self._check_options(path)
            environment = _environment.Environment.of(nodes.root, self.get_option("registry"))
            self._refuse_what_ansible_reads(environment, nodes.sources)
            nodes.check_alone()
            nodes.check_edge()
            result, policy = self._resolve(nodes, environment, cache)
            self._add_nodes(nodes, result, policy)
            self._share(nodes, result, str(environment.build(policy.environment)))
            self._add_spaces(nodes, result, policy)
            _chosen.add_group(self.inventory, nodes, result)
        except RegistryError as error:
            self._forget()
            # As help text, Ansible prints the list once instead of twice.
            raise AnsibleParserError(error.title(path), help_text=str(error)) from None
        except Exception:
            self._forget()
            raise

    def _load_filters(self) -> None:
        """Let Ansible load its filters and tests here, once.

        It loads all of them at the first one that is used, and all of a collection's at the first
        that is asked for, even one that does not exist. Each task of each node is a process
        forked from this one: those that come without would each load them anew, which was a
        fifth of a run's processor time.
        """
        question = "'archipel.spaces.no_such_filter' is filter or '' | default('') is defined"
        self.templar.evaluate_expression(trust_as_template(question))

    def _check_options(self, path: str) -> None:
        """Read the inventory's file; refuse options that there are not.

        Raises:
            RegistryError: it cannot be read, is not ours, or an option is unknown or wrong.
        """
        try:
            config = self._read_config_data(path)
        except AnsibleError as error:
            raise RegistryError([_environment.explain(path, error)]) from None
        if found := list(_environment.check_options(path, config, {"plugin", *self._options})):
            raise RegistryError(found)

    def _refuse_what_ansible_reads(
        self, environment: _environment.Environment, sources: list[str]
    ) -> None:
        """Whoever may propose a file of the registry must not be able to run commands here.

        Raises:
            RegistryError: something lies where Ansible would run or read it as an inventory.
        """
        given = command.CLIARGS.get("inventory") or ()
        given = [given] if isinstance(given, str) else given
        folders = [str(source) for source in given if "," not in str(source)]
        if found := list(_environment.check(environment, [*sources, *folders])):
            raise RegistryError(found)

    def _resolve(
        self, nodes: _nodes.Nodes, environment: _environment.Environment, cache: bool
    ) -> tuple[_entries.Result, _policy.Policy]:
        use_cache, key = self.get_option("cache"), self.get_cache_key(nodes.path)
        stored = self._stored(key) if use_cache and cache else None
        options = _entries.Options(
            folder=environment.spaces,
            root=environment.registry,
            nodes=nodes.root / "nodes.yml",
            skip_invalid=self.get_option("on_invalid") == "skip",
            allow_empty=self.get_option("allow_empty"),
            cache=_registry.Cache(_rules.SCHEMA.version, stored),
        )
        context = _context.read(nodes, environment)
        result = _entries.resolve(options, context)
        if use_cache:
            self._cache[key] = options.cache.dumps()
        return result, context.policy

    def _stored(self, key: str) -> str | None:
        """What an earlier run remembered; nothing, where that is half written or not ours."""
        try:
            if not (found := _environment.doubt_cache(self.get_option("cache_connection"))):
                return t.cast("str | None", self._cache.get(key))
        except AnsibleError as error:
            found = str(error)
        text = _("The cache is of no use and made anew: {error}", error=found)
        self.display.warning(sentence(text))
        return None

    # --- nodes --------------------------------------------------------------------

    def _add_nodes(
        self, nodes: _nodes.Nodes, result: _entries.Result, policy: _policy.Policy
    ) -> None:
        """Give each node the list of its spaces.

        Values go to the host objects directly: set_variable() of the inventory would walk through
        every text of every space to tag it. What has no tag is not trusted.
        """
        for host in nodes.hosts:
            web, skipped = result.on(host.name, "web"), result.skipped.get(host.name, [])
            left = [entry for entry in skipped if entry["web"] == host.name]
            domains = _domain_rules.list_outside([*web, *left], policy.base_domain)
            servers, served = (part.get(host.name, []) for part in (result.servers, result.served))
            reached = result.clients.get(host.name, []), result.roles.get(host.name, {})
            values = (web, result.on(host.name, "db"), skipped, domains, servers, served, *reached)
            for name, value in zip(OF_NODES, values, strict=True):
                host.set_variable(name, value)

    def _share(self, nodes: _nodes.Nodes, result: _entries.Result, build: str) -> None:
        """Give all nodes what is of none alone."""
        group = self.inventory.groups["nodes"]
        addresses = {part: nodes.addresses_of(part) for part in _nodes.GROUPS}
        databases = _distant.find_addresses(result.clients, nodes.addresses("web", "db"))
        shared_values = (result.report, result.placement, addresses, databases, build)
        for name, shared in zip(SHARED, shared_values, strict=True):
            group.set_variable(name, shared)
            # From elsewhere, such as localhost, they are found here: a copy for every host
            # would be printed 10,000 times by `ansible-inventory --list`.
            there = f"{{{{ hostvars[groups['nodes'][0]]['{name}'] }}}}"
            self.inventory.set_variable("all", name, trust_as_template(there))

    def _forget(self) -> None:
        """After an error no node keeps a list of spaces: without it, roles refuse to run."""
        groups = self.inventory.groups
        for host in self.inventory.hosts.values():
            for name in OF_NODES:
                host.vars.pop(name, None)
        for group in [groups[name] for name in ("all", "nodes") if name in groups]:
            for name in SHARED:
                group.vars.pop(name, None)

    # --- spaces ----------------------------------------------------------------------

    def _add_spaces(
        self, nodes: _nodes.Nodes, result: _entries.Result, policy: _policy.Policy
    ) -> None:
        """Each approved or suspended space is a host that leads to its node."""
        self.inventory.add_group("spaces")
        for kind, values in (
            ("status", HOST_STATUSES),
            ("ring", _upgrades.RINGS),
            ("office", policy.offices),
        ):
            for value in values:
                self._add_group(f"{kind}_{value}")
        homes = self._add_homes(nodes)
        for entry in result.entries:
            if entry["status"] in HOST_STATUSES:
                self._add_space(entry, *homes[entry["web"]])

    def _add_group(self, name: str) -> None:
        self.inventory.add_group(name)
        self.inventory.add_child("spaces", name)

    def _add_homes(self, nodes: _nodes.Nodes) -> dict[str, tuple[str, dict[str, t.Any]]]:
        """A group per web node: node -> its group, and variables its spaces need.

        Raises:
            RegistryError: a space and a node or group have the same name.
        """
        homes: dict[str, tuple[str, dict[str, t.Any]]] = {}
        owners: dict[str, str] = {}
        for host in nodes.members("web"):
            group = self._sanitize_group_name(f"on_{host.name}")
            owner = owners.setdefault(group, host.name)
            if owner != host.name:
                raise RegistryError([nodes.shared_group(owner, host.name, group)])
            of_group, of_each = nodes.connection(host)
            self._add_group(group)
            for name, value in of_group.items():
                self.inventory.set_variable(group, name, value)
            homes[host.name] = group, of_each
        return homes

    def _add_space(self, entry: SpaceEntry, group: str, variables: Mapping[str, t.Any]) -> None:
        self.inventory.add_host(entry["slug"], group)
        host = self.inventory.hosts[entry["slug"]]
        for kind in ("status", "ring", "office"):
            self.inventory.groups[f"{kind}_{entry[kind]}"].add_host(host)
        host.set_variable("space", entry)
        for name, value in variables.items():
            host.set_variable(name, value)
        self._construct(host)

    def _construct(self, host: Host) -> None:
        """Variables and groups that the inventory file composes.

        Raises:
            AnsibleParserError: two keyed groups have the same prefix.
        """
        compose, groups, keyed = map(self.get_option, ("compose", "groups", "keyed_groups"))
        if not (compose or groups or keyed):
            return
        strict = self.get_option("strict")
        self._set_composite_vars(compose, host.get_vars(), host.name, strict=strict)
        self._add_host_to_composed_groups(groups, {}, host.name, strict=strict)
        self._add_host_to_keyed_groups(keyed, {}, host.name, strict=strict)
        if text := _nodes.find_misplaced(host.name, {group.name for group in host.get_groups()}):
            raise AnsibleParserError(text)
