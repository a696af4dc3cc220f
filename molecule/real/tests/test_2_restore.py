# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""A backup of a space with everything in it brings everything back."""

from __future__ import annotations

from tests.support.associations import Associations
from tests.support.content import FOLDER, Collectives, Files, Notes
from tests.support.scenario import Scenario


def lose(associations: Associations, slug: str) -> set[str]:
    """Delete content as somebody does by mistake; return the kinds that are hit."""
    space = associations.space(slug)
    space.zoe.dav("DELETE", f"files/{space.zoe.name}/{FOLDER}/{Files.folders[0]}")
    # For good: what is in the trash bin is still listed where it was.
    calendar = f"calendars/{space.zoe.name}/repetitions/"
    space.zoe.dav("DELETE", calendar, X_NC_CalDAV_No_Trashbin="1")
    for note in space.zoe.api("GET", Notes.interface):
        space.zoe.api("DELETE", f"{Notes.interface}/{note['id']}")
    lost = {"Files", "Calendar", "Notes"}
    if Collectives.application in space.applications:
        for one in space.zoe.ocs("GET", Collectives.interface)["collectives"]:
            space.zoe.ocs("DELETE", f"{Collectives.interface}/{one['id']}")
        lost.add("Collectives")
    return lost


def test_what_was_lost_comes_back_from_the_backup(
    scenario: Scenario, associations: Associations, full: str
):
    only, confirm = ("-e", f"only={full}"), ("-e", f"confirm={full}")
    scenario.converge("backup.yml", *only, "-e", "verify=true")
    lost = lose(associations, full)
    gone = {name.split()[1] for name in associations.changed([full])}
    assert lost <= gone
    scenario.converge("restore.yml", *only, *confirm)
    assert associations.changed([full]) == {}
    pages = associations.pages(full)
    assert pages == dict.fromkeys(pages, 200)
    scenario.converge("restore.yml", *only, *confirm, "-e", "previous=discard")
    assert scenario.converge("spaces.yml", *only) == []
