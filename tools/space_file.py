# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A new file of the registry: what may be in it, and its text with a comment for each part.

What is right is asked of the same rules as in every run; nothing is written here.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

from tools import collection

collection.importable()

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from ansible_collections.archipel.spaces.plugins.plugin_utils._core import _messages
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    escaped,
    quoted,
    shown,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._intake import _proposal
from ansible_collections.archipel.spaces.plugins.plugin_utils._inventory import (
    _context,
    _nodes,
    _rules,
)
from ansible_collections.archipel.spaces.plugins.plugin_utils._registry import (
    _contacts,
    _edit,
    _environment,
    _locales,
    _registry,
)
from tools.check_registry import CONFIGURATIONS

# What a contributor may begin a file with: the others are decided later.
STATUSES = ("requested", "approved")


class Registry(t.NamedTuple):
    """What a new file is held against."""

    environment: _environment.Environment
    context: _rules.RuleContext
    # Of the files that are right.
    records: list[_registry.Record]
    # Names that no new space may have.
    taken: frozenset[str]

    @property
    def vaulted(self) -> bool:
        """Whether contacts are in a file of their own, which needs a password."""
        return self.context.policy.contacts == _contacts.VAULTED

    def path(self, slug: str) -> Path:
        """Where the file of a space is."""
        return self.environment.spaces / f"{slug}{_registry.SUFFIX}"


@dataclass(slots=True)
class Answers:
    """What was answered; empty: nothing yet."""

    name: str = ""
    slug: str = ""
    contact_name: str = ""
    email: str = ""
    office: str = ""
    locale: str = ""
    status: str = ""
    by: str = ""


def load(folder: Path) -> Registry:
    """Read an environment: its policy, its nodes, where spaces live, and their files.

    Raises:
        RegistryError: something of it is wrong; files of other associations are passed over.

    """
    config = next(folder / name for name in CONFIGURATIONS if (folder / name).is_file())
    loader = DataLoader()
    manager = InventoryManager(loader, sources=[str(folder)], parse=False)
    for path in sorted(folder.iterdir()):
        if path.is_file() and path != config and not path.name.startswith("."):
            manager.parse_source(str(path))
    nodes = _nodes.Nodes(manager._inventory, loader, str(config.absolute()), {})
    _messages.choose(nodes.language())
    options = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    environment = _environment.Environment.of(nodes.root, options.get("registry"))
    context = _context.read(nodes, environment)
    found = _registry.read(environment.spaces, _registry.Cache(""), _rules.check_schema)
    names = {path.name.split(".")[0] for path in environment.spaces.iterdir()}
    known = {*names, *context.lock.spaces, *context.purged, *context.names}
    reserved = {*context.policy.reserved_slugs, context.policy.form} - {""}
    return Registry(environment, context, found.records, frozenset(known | reserved))


def propose(registry: Registry, name: str) -> str:
    """Return a free name for a space, near to that of its association."""
    return _proposal.propose("", name, "0" * 8, registry.taken)


def values(registry: Registry, answers: Answers) -> dict[str, t.Any]:
    """Return what the file says."""
    policy = registry.context.policy
    found: dict[str, t.Any] = {"name": answers.name, "status": answers.status}
    if not registry.vaulted:
        contact = {"name": answers.contact_name, "email": answers.email}
        found["contact"] = {key: value for key, value in contact.items() if value}
    if answers.status == "approved":
        found["decision"] = {"by": answers.by, "on": registry.context.today.isoformat()}
    found["office"] = answers.office or policy.offices[0]
    if answers.locale and answers.locale != policy.locale:
        found["locale"] = answers.locale
    return found


# --- what is wrong with an answer --------------------------------------------------------------


def find_fault(registry: Registry, key: str, value: str) -> str:
    """Return what is wrong with one answer, and what to do; empty, if nothing is."""
    if not value.isprintable():
        return _("found {found}; allowed: a text without invisible signs", found=quoted(value))
    rules: dict[str, t.Callable[[Registry, str], str]] = {
        "slug": _wrong_slug,
        "office": _wrong_office,
        "status": _wrong_status,
        "locale": lambda _all, found: _locales.check_locale(found),
    }
    return rules[key](registry, value) if key in rules else _wrong(key, value)


# Answer → where it stands in a file.
_PLACES: dict[str, tuple[str, ...]] = {
    "name": ("name",),
    "contact_name": ("contact", "name"),
    "email": ("contact", "email"),
    "by": ("decision", "by"),
}


def _wrong(key: str, value: str) -> str:
    place = _PLACES[key]
    content: t.Any = value
    for step in reversed(place):
        content = {step: content}
    found = [one.text for one in _rules.SCHEMA.faults(content) if one.place == place]
    return found[0] if found else ""


def _wrong_slug(registry: Registry, slug: str) -> str:
    if not _registry.SLUG.fullmatch(slug):
        return _(
            'found "{slug}"; allowed: {allowed}; for instance {name}',
            slug=escaped(slug),
            allowed=_(_registry.SLUG_ALLOWED),
            name=_registry.suggest_slug(slug),
        )
    if registry.path(slug).exists():
        return _(
            "{file} is there already, and is never overwritten; take another name, or change "
            "that file",
            file=shown(registry.path(slug)),
        )
    if slug in registry.taken:
        return _(
            'the name "{slug}" is not free: it is reserved, or is that of a node, a group or a '
            "former space; take another",
            slug=slug,
        )
    return ""


def _wrong_office(registry: Registry, office: str) -> str:
    offices = registry.context.policy.offices
    if office in offices:
        return ""
    return _choice(office, offices)


def _wrong_status(_registry_: Registry, status: str) -> str:
    return "" if status in STATUSES else _choice(status, STATUSES)


def _choice(found: str, allowed: t.Sequence[str]) -> str:
    return _(
        "found {found}; allowed: {allowed}.{hint}",
        found=quoted(found),
        allowed=", ".join(allowed),
        hint=did_you_mean(found, allowed),
    )


def check(registry: Registry, answers: Answers) -> list[str]:
    """Return everything that the rules of every run find wrong with the file, in sentences."""
    path = registry.path(answers.slug)
    record = _registry.Record(answers.slug, str(path), values(registry, answers))
    problems = _rules.check_schema(record) or [
        one
        for one in _rules.check_all([*registry.records, record], registry.context)
        # The one that the vaulted file will have is added by who has the password.
        if one.slug == answers.slug and not (registry.vaulted and one.key == "contact")
    ]
    return [f"{one.key}: {one.text}" if one.key else one.text for one in problems]


# --- the file ----------------------------------------------------------------------------------


def compose(registry: Registry, answers: Answers) -> str:
    """Return the text of the file, in the language of who writes it."""
    policy = registry.context.policy
    host = policy.url(policy.host_name(answers.slug))
    limits = policy.limits_default
    comments = {
        "status": _("requested (somebody has to decide) or approved (the space is made)"),
        "contact": _("who is invited to administer the space"),
        "decision": _("who decided, and when"),
        "office": _("the suite to begin with; the association may switch"),
        "locale": _("the language of the space"),
    }
    lines = [
        _proposal.SCHEMA_LINE,
        _("# One file, one space: {address}", address=host) + "\n",
        _("# All that it may say: docs/registry.md") + "\n",
    ]
    for key, value in values(registry, answers).items():
        if key in comments:
            lines.append(f"# {comments[key]}\n")
        lines.append(_edit.block({key: value}))
    text = _(
        "# Without these lines: {accounts} accounts, {storage_gb} GB. More needs approved_by above "
        "the policy's maximum.",
        accounts=limits["accounts"],
        storage_gb=limits["storage_gb"],
    )
    numbers = ", ".join(f"{kind}: {number}" for kind, number in limits.items())
    return "".join([*lines, f"{text}\n", f"# limits: {{{numbers}}}\n"])
