# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whether a registry is right, in the words of the inventory: python -m tools.check_registry demo.

What contributors and the CI of a registry need. It reads what every run begins with, and says what
check.yml says of files; it renders nothing, reaches nobody, and needs neither a secret nor the
tools of developers.
"""

from __future__ import annotations

import argparse
import sys
import typing as t
from pathlib import Path

from tools import ROOT, collection

collection.importable()

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from ansible_collections.archipel.spaces.plugins.filter.registry_summary import registry_summary
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._messages import _
from ansible_collections.archipel.spaces.plugins.plugin_utils._core._problem import (
    did_you_mean,
    quoted,
)

INVENTORIES = ROOT / "inventories"
CONFIGURATIONS = ("spaces.yml", "spaces.yaml")
# How it ends where something is wrong: the inventory itself ends with 4.
WRONG, MISUSED = 1, 2


def list_environments(folder: Path = INVENTORIES) -> dict[str, Path]:
    """Return the environments that have a registry: name → folder."""
    found = {path.parent for name in CONFIGURATIONS for path in folder.glob(f"*/{name}")}
    return {path.name: path for path in sorted(found)}


def find_environment(name: str, known: t.Mapping[str, Path]) -> Path:
    """Return the folder of an environment, by its name or its path.

    Raises:
        ValueError: there is none; says which there are.

    """
    path = Path(name)
    if name in known:
        return known[name]
    if any((path / one).is_file() for one in CONFIGURATIONS):
        return path
    text = _(
        "found {found}; allowed: an environment, {known}, or a folder with spaces.yml.{hint}",
        found=quoted(name),
        known=", ".join(known) or _("none"),
        hint=did_you_mean(name, known),
    )
    raise ValueError(text)


def check(folder: Path) -> bool:
    """Print what a registry asks of people; return whether all files are right.

    Raises:
        SystemExit: it is refused as a whole; why has been said.

    """
    inventory = InventoryManager(loader=DataLoader(), sources=[str(folder)])
    report = inventory.groups["nodes"].vars["archipel_report"]
    for sentence in registry_summary(report):
        print(sentence)
    for problem in (one for found in report["skipped"].values() for one in found):
        print(problem, file=sys.stderr)
    return not report["skipped"]


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Check the environments that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("environments", nargs="*")
    names = parser.parse_args(arguments).environments
    known = list_environments()
    try:
        folders = [find_environment(name, known) for name in names] or list(known.values())
    except ValueError as error:
        print(error, file=sys.stderr)
        return MISUSED
    wrong = [folder for folder in folders if not check(folder)]
    if not wrong:
        print(_("Every file is right."))
    return WRONG if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
