# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""French that people read is typeset as French is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ansible_collections.archipel.spaces.plugins.plugin_utils._dns import _letters
from tests.policy.tree import ROOT, shown

APPLICATION = ROOT / "roles/nextcloud/files/apps/archipel"
# Of operators and contributors, without commands and values.
DOCUMENTS = ("CONTRIBUTING.fr.md", "README.fr.md", "docs/registry.fr.md")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
PAGES = sorted((ROOT / "roles/spaces/templates/srv/www").glob("*.html.j2"))
# A straight apostrophe in a word, and an ordinary space where one that never breaks belongs.
WRONG = re.compile(r"\w'\w| [:;!?»%](?!\w)|« ")


def texts() -> dict[str, str]:
    """What is written in French, by where it stands."""
    translations = json.loads((APPLICATION / "l10n/fr.json").read_text(encoding="utf-8"))
    found = dict(translations["translations"])
    for path in (APPLICATION / "skeleton/fr").iterdir():
        found[shown(path)] = path.read_text(encoding="utf-8")
    for path in PAGES:
        found[shown(path)] = french_of(path)
    found |= {f"letters: {key}": text for key, text in _letters.TEXTS["fr"].items()}
    for name in DOCUMENTS:
        found[name] = CODE.sub("x", (ROOT / name).read_text(encoding="utf-8"))
    return found


def french_of(page: Path) -> str:
    block = page.read_text(encoding="utf-8").partition("'fr': {")[2].partition("\n  },\n")[0]
    return "\n".join(re.findall(r'"([^"\n]*)"', block))


def test_there_is_something_to_look_at():
    assert len(texts()) > 40
    assert len([page for page in PAGES if french_of(page)]) >= 4


@pytest.mark.parametrize("where", sorted(texts()))
def test_it_is_typeset_as_french(where: str):
    assert WRONG.findall(texts()[where]) == []


@pytest.mark.parametrize(
    "text", ["l'espace", "prêt : oui", "« prêt", "prêt »", "prêt ?", "80 %% des comptes"]
)
def test_what_is_not_would_be_found(text: str):
    assert WRONG.search(text)


def test_sizes_have_their_units():
    """As lib/Page/Size.php asks for them."""
    asked = re.findall(r"'(%s [KMGT]?B)'", (APPLICATION / "lib/Page/Size.php").read_text())
    assert len(asked) == 5
    units = [texts()[one] for one in asked]
    assert units == [f"%s\u00a0{unit}" for unit in ("o", "Ko", "Mo", "Go", "To")]
