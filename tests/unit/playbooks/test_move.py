# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later
"""What move.yml refuses before it touches anything; no node answers here."""

from __future__ import annotations

import pytest

from tests.unit.environment import ROOT, Environment
from tests.unit.playbooks.test_placement import crowded

__all__ = ["crowded"]


def move(environment: Environment, *options: str) -> tuple[int, str]:
    given = [part for option in options for part in ("-e", option)]
    done = environment.command("ansible-playbook", str(ROOT / "playbooks/move.yml"), *given)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "nothing was moved. allowed: -e only=<spaces> -e to=<web node>, or -e drain="),
        (["only=s0", "to=node2"], "nothing was moved. to: node2 did not answer; mend that first"),
        (["only=s9", "to=node2"], "only=s9: no space and no group is called s9"),
        (["drain=node3"], 'drain: found "node3"; allowed: a web node, node1, node2'),
        (["only=s0", "kept=discard"], "s0: nothing of an earlier move of it is kept on any node"),
    ],
)
def test_nothing_moves_where_it_makes_no_sense(
    crowded: Environment, options: list[str], expected: str
):
    before = crowded.lock.read_text()
    code, said = move(crowded, *options)
    assert code != 0
    assert expected in said
    assert crowded.lock.read_text() == before
