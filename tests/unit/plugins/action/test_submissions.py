# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""What a node hands over is written here, under names that lead nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.archipel.spaces.plugins.action import submissions

NAME = "0" * 32 + ".json"


def test_files_are_written_as_they_are(tmp_path: Path):
    assert submissions._keep({NAME: "\xff\x00a"}, str(tmp_path)) == [NAME]
    assert (tmp_path / NAME).read_bytes() == b"\xff\x00a"
    before = (tmp_path / NAME).stat()
    submissions._keep({NAME: "\xff\x00a"}, str(tmp_path))
    assert (tmp_path / NAME).stat() == before
    submissions._keep({NAME: "b"}, str(tmp_path))
    assert (tmp_path / NAME).read_bytes() == b"b"


@pytest.mark.parametrize("name", ["../" + NAME, "/tmp/" + NAME, "x.json", "\n" + NAME, NAME + "\n"])
def test_a_node_that_is_not_ours_any_more_writes_nowhere_else(tmp_path: Path, name: str):
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(AnsibleActionFail, match="which is no submission"):
        submissions._keep({name: "x"}, str(folder))
    assert list(tmp_path.rglob("*")) == [folder]
