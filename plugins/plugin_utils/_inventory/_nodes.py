# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The nodes that an inventory knows before the spaces, and every variable they have."""

from __future__ import annotations

import functools
import json
import typing as t
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.inventory.helpers import get_group_vars, sort_groups
from ansible.template import Templar, trust_as_template
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources

from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _, mark
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    Problem,
    RegistryError,
    quoted,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _capacity,
    _clusters,
    _distant,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._policy import _variables
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry._names import is_address

if t.TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from ansible.inventory.data import InventoryData
    from ansible.inventory.group import Group
    from ansible.inventory.host import Host
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import VaultLib

    from ansible_collections.archipel.spaces.plugins.plugin_utils._core._unchecked import Draft
    from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory._placement import Node

    Vars = Draft

# The groups a node takes its parts from.
GROUPS = ("web", "db", "office", "talk", "edge")


class Nodes:
    """The group nodes: members of the nodes' groups, with the variables plays will see.

    Ansible reads group_vars/ and host_vars/ after all inventory plugins have run. The policy
    and the way to a node are needed before: its own vars plugins are asked here.
    """

    def __init__(
        self, inventory: InventoryData, loader: DataLoader, path: str, extra_vars: Vars
    ) -> None:
        self._inventory, self._loader = inventory, loader
        # Ansible notes a folder it has read as None.
        self.sources = [source for source in (*inventory.processed_sources, path) if source]
        self._extra_vars = extra_vars
        self._all = inventory.groups["all"]
        self.path = path
        self.root = Path(path).absolute().parent
        self._group()
        self.hosts = self.members("nodes")

    def _group(self) -> None:
        """One group for all of them, before anybody asks for its variables."""
        self._inventory.add_group("nodes")
        # Playbooks name it, whether there is one: a pattern that nobody knows warns in each run.
        self._inventory.add_group("edge")
        for name in GROUPS:
            if name in self._inventory.groups:
                self._inventory.add_child("nodes", name)

    def members(self, group: str) -> list[Host]:
        """The hosts of a group; none, if nobody named it."""
        known: Mapping[str, Group] = self._inventory.groups
        return list(known[group].get_hosts()) if group in known else []

    @functools.cached_property
    def shared(self) -> Vars:
        """Variables of the group all."""
        return t.cast("Vars", combine_vars(self._all.get_vars(), self._files_of(self._all)))

    @functools.cache  # noqa: B019 - lives as long as the reading of one inventory file
    def variables(self, host: Host) -> Vars:
        """Variables of a node, without extra variables."""
        groups = sort_groups(group for group in host.get_groups() if group.name != "all")
        layers = (
            self.shared,
            get_group_vars(groups),
            self._files_of(*groups),
            host.get_vars(),
            self._files_of(host),
        )
        return t.cast("Vars", functools.reduce(combine_vars, layers))

    def _files_of(self, *entities: Group | Host) -> Vars:
        """group_vars/ and host_vars/, at whatever stage they are loaded otherwise."""
        found = get_vars_from_inventory_sources(self._loader, self.sources, list(entities), "all")
        return t.cast("Vars", found)

    def policy(self, names: Iterable[str]) -> Vars:
        """Some variables of the group all, evaluated."""
        magic = {"inventory_dir": str(self.root), "inventory_file": self.path}
        where = self.root / "group_vars" / "all"
        return self._evaluate(names, {**self.shared, **self._extra_vars, **magic}, str(where))

    def language(self) -> object:
        """What archipel_language says, before anything is checked; nothing, where it is sealed."""
        try:
            known = {**self.shared, **self._extra_vars}
        except AnsibleError:
            return None  # an encrypted file: whoever needs it says so
        return known.get("archipel_language")

    def declared(self) -> list[_variables.Variable]:
        """The variables archipel_… that people have set, each where it stands."""
        found = _variables.read(self._loader, self._inventory, self.sources)
        given = [
            _variables.Variable(str(name), value, _variables.COMMAND_LINE, shared=False)
            for name, value in self._extra_vars.items()
            if name.startswith(_variables.PREFIX)
        ]
        return [*found, *given]

    def evaluate(self, text: str) -> t.Any:
        """A template of the group all. Raises Unknown where it needs a node or a password.

        Raises:
            Unknown: it needs what only a run knows.

        """
        try:
            return self._templar.template(text)
        except AnsibleError as error:
            raise _variables.Unknown from error

    def extra(self, name: str) -> t.Any:
        """An extra variable of this run, evaluated; None, where nobody gave it.

        Raises:
            Unknown: it needs what only a run knows.

        """
        value = self._extra_vars.get(name)
        return self.evaluate(value) if isinstance(value, str) else value

    @functools.cached_property
    def _templar(self) -> Templar:
        magic = {"inventory_dir": str(self.root), "inventory_file": self.path}
        return Templar(self._loader, variables={**self.shared, **self._extra_vars, **magic})

    def taken_names(self) -> dict[str, str]:
        """Names of the inventory that no space may take, and what each is."""
        groups = {*self._inventory.groups, *GROUPS, "spaces"}
        return {
            **dict.fromkeys(map(str, self._inventory.hosts), mark("a node")),
            **dict.fromkeys(groups, mark("a group")),
            "localhost": mark("the controller"),
        }

    @property
    def vault(self) -> VaultLib:
        """The passwords of this run."""
        return t.cast("VaultLib", self._loader._vault)

    def homes(self, role: str) -> list[Node]:
        """The nodes that take spaces in this part, with their capacity.

        Raises:
            RegistryError: a capacity is wrong, or there is no node.

        """
        found = [self._node(host) for host in self.members(role)]
        if role == "web" and (faults := list(_capacity.check_together(found))):
            raise RegistryError(self._problem(text, key) for key, text in faults)
        return found

    def clusters(self) -> dict[str, str]:
        """Return each node that has the databases of others as well → the name they share."""
        name = _clusters.NAME
        # Those of the group db first: the first of a cluster begins as the primary.
        hosts = {host.name: host for host in (*self.members("db"), *self.hosts)}.values()
        found = {str(host.name): self._own(host, name) for host in hosts}
        return {node: cluster for node, cluster in found.items() if cluster}

    def shards(self) -> Vars:
        """What the nodes of the group office say they serve: archipel_office_shards."""
        name = "archipel_office_shards"
        return {str(host.name): self._own(host, name) or [] for host in self.members("office")}

    def addresses(self, *roles: str) -> dict[str, list[str]]:
        """From where other nodes see these come: archipel_addresses, else ansible_host."""
        found = {}
        for host in {host.name: host for role in roles for host in self.members(role)}.values():
            way = self.variables(host).get("ansible_host", host.name)
            own = [way] if is_address(way) else []
            found[str(host.name)] = self._listed(host) or own
        return found

    def _listed(self, host: Host) -> list[str]:
        """What a node says of its addresses: allow-lists are made of them.

        Raises:
            RegistryError: it is no list of these.

        """
        name = "archipel_addresses"
        value = self._own(host, name)
        if not value:
            return []
        if isinstance(value, list) and all(map(is_address, value)):
            return value
        text = _(
            "found {found} for {node}; allowed: {allowed}",
            found=quoted(value),
            node=host.name,
            allowed=_("a list of IP addresses, as other nodes see this one"),
        )
        raise RegistryError([self._problem(text, name)])

    def addresses_of(self, part: str) -> list[str]:
        """The addresses of all nodes of a part, for allow-lists."""
        return sorted({one for found in self.addresses(part).values() for one in found})

    def _own(self, host: Host, name: str) -> t.Any:
        variables = {**self.variables(host), **self._extra_vars}
        return self._evaluate([name], variables, f"host {host.name}").get(name)

    def _node(self, host: Host) -> Node:
        """Return a node with what it takes at most.

        Raises:
            RegistryError: that is no capacity.

        """
        try:
            return _capacity.read_node(str(host.name), self._own(host, _capacity.NAME))
        except _capacity.CapacityError as error:
            raise RegistryError([self._problem(str(error), _capacity.NAME)]) from None

    def connection(self, host: Host) -> tuple[Vars, Vars]:
        """How to reach a node: variables for the group of its spaces, and for each of them.

        group_vars/all outranks variables that a plugin gives a group. Where it says something
        else than the node, only variables of the spaces themselves are strong enough.
        """
        of_group, of_each = {}, {}
        for name, value in {"ansible_host": host.name, **self.variables(host)}.items():
            if not name.startswith("ansible_") or name == "ansible_group_priority":
                continue
            if name not in self.shared:
                of_group[name] = _redirect(host, name, value)
            elif self.shared[name] != value:
                of_each[name] = _redirect(host, name, value)
        return of_group, of_each

    def check_alone(self) -> None:
        """Two environments in one run would put spaces on the wrong nodes.

        Raises:
            RegistryError: somebody else makes hosts of these names.

        """
        if earlier := self._inventory.groups["nodes"].vars.get("archipel_placement"):
            text = _(
                'the environment "{name}" is in this inventory already; give one environment at '
                "a time with -i",
                name=earlier["environment"],
            )
            raise RegistryError([self._problem(text)])
        for host in self.hosts:
            home = Path(host.vars.get("inventory_dir") or self.root)
            own = [home / f"spaces{end}" for end in (".yml", ".yaml")]
            if not home.samefile(self.root) and any(map(Path.exists, own)):
                text = _(
                    'the node {node} belongs to the environment "{name}"; give one environment '
                    "at a time with -i",
                    node=host.name,
                    name=home.name,
                )
                raise RegistryError([self._problem(text)])

    def check_edge(self) -> None:
        """An edge has the ports that people use to itself, and nodes know whom to believe.

        Raises:
            RegistryError: it shares them with nginx, or nobody knows its address.

        """
        found = self.addresses("edge") | (self.addresses("web") if self.members("edge") else {})
        problems = []
        for name, usable in found.items():
            if not _distant.find_hosts([name], {name: usable}):
                text = _(
                    "found no address of {node} that other nodes reach; allowed: its IP addresses, "
                    "such as [10.0.0.2]",
                    node=name,
                )
                problems.append(self._problem(text, "archipel_addresses"))
        busy = {str(host.name) for part in ("web", "office") for host in self.members(part)}
        for name in sorted(busy & {str(host.name) for host in self.members("edge")}):
            text = _(
                "found {node} in the group edge, and in web or office, which have the same ports; "
                "give the edge a node of its own",
                node=name,
            )
            problems.append(self._problem(text, "edge"))
        if problems:
            raise RegistryError(problems)

    def shared_group(self, one: str, other: str, group: str) -> Problem:
        """Two nodes whose spaces would be in one group."""
        text = _(
            "the nodes {one} and {other} would share the group {group}; rename one of them",
            one=one,
            other=other,
            group=group,
        )
        return self._problem(text)

    def _problem(self, text: str, key: str = "") -> Problem:
        return Problem(self.path, text, key=key)

    def _evaluate(self, names: Iterable[str], variables: Vars, where: str) -> Vars:
        """Plain values, without trust, origin or lazy containers.

        Raises:
            RegistryError: a template of it fails.

        """
        templar = Templar(loader=self._loader, variables=variables)
        plain = {}
        for name in names:
            if name in variables:
                try:
                    plain[name] = json.loads(json.dumps(templar.template(variables[name])))
                except (AnsibleError, TypeError) as error:
                    text = _("cannot be evaluated: {error}", error=error)
                    raise RegistryError([Problem(where, text, key=name)]) from error
        return plain


def find_misplaced(slug: str, groups: Container[str]) -> str:
    """Return what is wrong with the composed groups of a space; empty, if nothing is."""
    wrong = [name for name in (*GROUPS, "nodes") if name in groups]
    if not wrong:
        return ""
    return _(
        "keyed_groups puts the space {slug} into {group}, a group of nodes; give each key a "
        "prefix of its own",
        slug=slug,
        group=wrong[0],
    )


def _redirect(host: Host, name: str, value: t.Any) -> t.Any:
    """A plain value as it is; what may be a template or a secret is left with the node."""
    if value is None or isinstance(value, int) or (isinstance(value, str) and "{" not in value):
        return value
    node = json.dumps(host.name)
    return trust_as_template(f"{{{{ hostvars[{node}][{json.dumps(name)}] }}}}")
