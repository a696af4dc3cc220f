# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""A space's logo: put where its Nextcloud finds it, or taken away."""

from __future__ import annotations

import base64
from dataclasses import replace

from ansible_collections.archipel.spaces.plugins.module_utils._nextcloud import _installation
from tests.unit.plugins.module_utils.new_space import WITH_LOGO, node


def test_a_logo_that_changed_on_its_way_is_refused(tmp_path):
    place = replace(node(tmp_path)[0], logos={"amap": base64.b64encode(b"other").decode()})
    done, why = _installation.carry_out(WITH_LOGO, {"logo": "logo"}, place)
    assert done == []
    assert "changed while it was read" in why
