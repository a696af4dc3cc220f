# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What the pages for associations say of their spaces is what the policy gives them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.policy.tree import ROOT, load

# Applications that people open, as the page calls them in English and French.
OPENED = {
    "activity": ("Activity", "Activité"),
    "calendar": ("Calendar", "Agenda"),
    "collectives": ("Collectives", "Collectifs"),
    "contacts": ("Contacts", "Contacts"),
    "dashboard": ("Dashboard", "Tableau de bord"),
    "deck": ("Deck", "Deck"),
    # Nextcloud's own, always on.
    "files": ("Files", "Fichiers"),
    "forms": ("Forms", "Formulaires"),
    "groupfolders": ("Team folders", "Dossiers d’équipe"),
    "notes": ("Notes", "Notes"),
    "photos": ("Photos", "Photos"),
    "polls": ("Polls", "Sondages"),
    "spreed": ("Talk", "Discussion"),
    "tables": ("Tables", "Tables"),
    "tasks": ("Tasks", "Tâches"),
}
# Parts of others, and what works without being opened.
WITHIN = {
    *("bruteforcesettings", "circles", "comments", "contactsinteraction", "files_downloadlimit"),
    *("files_pdfviewer", "files_reminders", "files_sharing", "files_trashbin", "files_versions"),
    *("notifications", "password_policy", "privacy", "related_resources", "sharebymail"),
    *("systemtags", "text", "twofactor_nextcloud_notification", "twofactor_totp"),
    *("twofactor_webauthn", "user_status"),
}


@pytest.mark.parametrize("page", ["applications.md", "applications.fr.md"])
def test_the_page_names_every_application_that_people_open(page: str):
    text = Path(ROOT / "docs/associations" / page).read_text(encoding="utf-8")
    table = text.split("\n## ", maxsplit=1)[0]
    named = re.findall(r"^\| \*\*([^*]+)\*\* \|", table, re.M)
    french = page.endswith(".fr.md")
    assert sorted(named) == sorted(names[french] for names in OPENED.values())


def test_every_application_of_the_policy_is_one_that_people_open_or_part_of_another():
    """A new one has to be decided on here: does it belong on the page?"""
    policy = load(ROOT / "group_vars/all/applications.yml")
    enabled = set(policy["archipel_applications"]["enabled"])
    assert enabled == (OPENED.keys() - {"files"}) | WITHIN
