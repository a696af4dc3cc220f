# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""The table of docs/security.md: each attack, what refuses it, and the ways in which it is tried.

``python -m tests.attacks.table`` writes it anew; a policy test holds that it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.attacks import files, kernel, network, services
from tests.attacks.defences import DEFENCES
from tests.attacks.model import Attack
from tools import ROOT

DOCUMENT = ROOT / "docs/security.md"
BEGIN, END = "<!-- attacks: written by tests/attacks/table.py -->", "<!-- end of attacks -->"
PARTS: tuple[tuple[str, Sequence[Attack]], ...] = (
    ("Files", files.ATTACKS),
    ("Processes and the kernel", kernel.ATTACKS),
    ("Sockets, MariaDB and Redis", services.ATTACKS),
    ("The network, nginx and PHP", network.ATTACKS),
)


class Elsewhere(NamedTuple):
    """An attack that another scenario, or a unit test, tries."""

    does: str
    refused_by: str
    test: str


LIMITS = "molecule/quota/tests/limits/test_limits.py"
NETWORK = "molecule/quota/tests/limits/test_network.py"
CHANGES = "tests/unit/roles/test_changes.py"
ELSEWHERE = (
    Elsewhere(
        "leaves its limit of storage: another project for its files, hard links, sparse files",
        "`PrivateUsers`; quotas of projects",
        f"{LIMITS}::test_from_inside_its_sandbox_no_space_leaves_its_limit",
    ),
    Elsewhere(
        "fills the disk that its neighbour writes to",
        "quotas of projects",
        f"{LIMITS}::test_the_neighbour_is_unaffected",
    ),
    Elsewhere(
        "takes the processor with many processes",
        "`CPUWeight` of each space",
        "molecule/quota/tests/limits/test_processor.py::"
        "test_a_space_with_many_processes_gets_no_more_than_one_with_few",
    ),
    Elsewhere(
        "listens on a port, or reaches a neighbour where the firewall is empty",
        "`SocketBindDeny`, `IPAddressDeny` of the slices (cgroup v2)",
        f"{NETWORK}::test_it_is_the_slice_that_holds_it",
    ),
    Elsewhere(
        "lets root follow a link out of its log",
        "`tidy` opens nothing of a space",
        "molecule/shared/tests/converged/test_bounds.py::"
        "test_a_log_is_put_aside_and_leads_root_nowhere",
    ),
    Elsewhere(
        "lets root follow a link out of a request to its operator",
        "`changes` follows none",
        f"{CHANGES}::test_no_link_is_followed",
    ),
    Elsewhere(
        "asks its operator for something in another's name",
        "whose file it is says who asks",
        f"{CHANGES}::test_somebody_elses_file_is_no_request_of_the_space",
    ),
    Elsewhere(
        "changes an export after it was made, or puts a link in its place",
        "exports are root's, and read-only in the sandbox",
        "molecule/intake/tests/test_6_selfservice.py::test_cannot_be_changed_by_it",
    ),
    Elsewhere(
        "has its name run as a template or a command on the controller or a node",
        "what associations write is never trusted",
        "molecule/shared/tests/converged/test_files.py::test_nothing_hostile_was_executed",
    ),
    Elsewhere(
        "opens what its shard of ONLYOFFICE keeps of another space",
        "a secret for each space, names by nginx alone",
        "molecule/onlyoffice/real/test_attacks.py::test_a_plain_key_of_another_tenant_is_not_found",
    ),
)


def _row(attack: Attack) -> str:
    refused = "; ".join(DEFENCES[name].shown for name in attack.defences)
    where = f"{', '.join(attack.ways)}{', from the second node' if attack.far else ''}"
    return f"| {attack.does} | {refused} | {where} |"


def render() -> str:
    """Return the section between the marks."""
    parts = [BEGIN]
    for title, attacks in PARTS:
        parts += ["", f"### {title}", "", "| a space | refused by | tried by |", "|---|---|---|"]
        parts += [_row(one) for one in attacks]
    parts += ["", "### Tried elsewhere", "", "| a space | refused by | test |", "|---|---|---|"]
    parts += [f"| {one.does} | {one.refused_by} | `{one.test}` |" for one in ELSEWHERE]
    return "\n".join([*parts, "", END])


def replace(document: str) -> str:
    """Return a document with the section as it is now."""
    before, rest = document.split(BEGIN)
    return before + render() + rest.split(END)[1]


if __name__ == "__main__":
    DOCUMENT.write_text(replace(DOCUMENT.read_text("utf-8")), encoding="utf-8")
