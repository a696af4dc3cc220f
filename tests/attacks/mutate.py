# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Takes each defence away on the nodes of the scenario `attacks`; writes down what then succeeds.

An attack must succeed once all defences in its way are gone: a test that nothing makes fail shows
nothing. Where there are several, it must not while any one of them stands.
Usage: ``python -m tests.attacks.mutate [--open | part of a sentence]`` after ``molecule converge -s
attacks``; --open tries those of which the results say nothing, or something else.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.attacks import ATTACKS
from tests.attacks.defences import DEFENCES
from tests.attacks.model import WAYS, Attack
from tests.support.attacked import Attacked, Side

RESULTS = Path(__file__).with_name("mutations.json")
# Attack → defences that were taken away, "+" between them → way → what came of it.
Results = dict[str, dict[str, dict[str, str]]]


def subsets(attack: Attack) -> list[tuple[str, ...]]:
    """Return what is taken away for an attack: all its defences, and all but each one."""
    defences = attack.defences
    but_one = [tuple(defence for defence in defences if defence != kept) for kept in defences]
    return [defences, *(but_one if len(defences) > 1 else [])]


def ways(attack: Attack, removed: Iterable[str]) -> list[str]:
    """Return the ways that come by, once defences are gone."""
    return [way for way in attack.ways if all(way in DEFENCES[defence].ways for defence in removed)]


def plan(attacks: Sequence[Attack]) -> dict[tuple[bool, tuple[str, ...]], list[Attack]]:
    """Return what is taken away together: the node and the defences → the attacks then tried."""
    planned: dict[tuple[bool, tuple[str, ...]], list[Attack]] = defaultdict(list)
    for attack in attacks:
        for removed in subsets(attack):
            planned[attack.far, removed].append(attack)
    return dict(planned)


def try_without(side: Side, removed: tuple[str, ...], attacks: Sequence[Attack]) -> Results:
    """Take defences away on a node, try attacks, put the defences back; return what came of it."""
    found: Results = {one.does: {"+".join(removed): {}} for one in attacks}
    with side.without(removed):
        for way in WAYS:
            chosen = [one for one in attacks if way in ways(one, removed)]
            answers = side.tries(chosen, way) if chosen else {}
            for does, answer in answers.items():
                found[does]["+".join(removed)][way] = answer
    return found


def judge(attack: Attack, results: dict[str, dict[str, str]]) -> list[str]:
    """Return what is wrong with what was seen, in sentences."""
    wrong = []
    for removed in subsets(attack):
        seen = results.get("+".join(removed), {})
        if sorted(seen) != sorted(ways(attack, removed)):
            wrong.append(f"{attack.does}: without {removed} not tried in each way")
        for way, answer in seen.items():
            if removed == attack.defences and answer != "":
                wrong.append(f"{attack.does} ({way}): without {removed} still {answer}")
            if removed != attack.defences and answer not in attack.refusals:
                kept = set(attack.defences) - set(removed)
                wrong.append(f"{attack.does} ({way}): {kept} does not hold: {answer or 'done'}")
    return wrong


def main(arguments: Sequence[str]) -> int:
    """Try all attacks, or some."""
    stored: Results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    known = {one.does: stored.get(one.does, {}) for one in ATTACKS}
    if list(arguments) == ["--open"]:
        chosen = [one for one in ATTACKS if judge(one, known[one.does])]
    else:
        chosen = [one for one in ATTACKS if all(word in one.does for word in arguments)]
    for one in chosen:
        known[one.does] = {}
    with Attacked().ready() as attacked:
        for (far, removed), attacks in plan(chosen).items():
            print(f"without {' + '.join(removed)}: {len(attacks)} attacks", flush=True)
            side = attacked.far if far else attacked.near
            try:
                for does, seen in try_without(side, removed, attacks).items():
                    known[does] |= seen
            except Exception as error:
                print(f"  not tried: {error}", file=sys.stderr)
            RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        # What was put back holds again.
        for way in WAYS:
            for does, answer in attacked.try_all(chosen, way).items():
                if answer == "":
                    print(f"not put back: {does} ({way})", file=sys.stderr)
    wrong = [text for one in chosen for text in judge(one, known[one.does])]
    print(
        "\n".join(wrong)
        or f"{len(chosen)} attacks, each stopped by its defences and by nothing else"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
