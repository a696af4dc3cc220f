# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""No secret shows in a difference, however it is written; everything else does."""

from __future__ import annotations

import pytest

from ansible_collections.archipel.spaces.plugins.module_utils._core._masking import mask_secrets
from ansible_collections.archipel.spaces.plugins.plugin_utils._render._render_php import (
    format_key,
    format_literal,
)

AROUND = "  'dbname' => 'space_x',\n{row}  'loglevel' => 2,\n"


def row(key: str, value: object) -> str:
    return f"  {format_key(key)} => {format_literal(value, 1)},\n"


@pytest.mark.parametrize(
    "written",
    [
        row("dbpassword", "hunter2"),
        row("mail_smtppassword", "it's\nhunter2\n"),
        row("dbpassword", "' => hunter2\\"),
        row("oidc_login_client-secret", "hunter2"),
        row("s3Key2", "hunter2"),
        row("SECRET", "hunter2"),
        row("proxy.credentials", "me:hunter2"),
        row("office_secrets", {"a": "hunter2", "b": {"c": ["hunter2"]}}),
        row(
            "objectstore", {"class": "S3", "arguments": {"secret": "hunter2", "sse_key": "hunter2"}}
        ),
        # As somebody may have written it by hand.
        '  "dbpassword" => "hunter2",\n',
        "  'dbpassword'=>'hunter2',\n",
        "  'tokens' => array (\n    0 => 'hunter2',\n  ),\n",
        "\t'dbpassword' => hunter2 ,\n",
    ],
)
def test_secrets_never_show(written):
    text = mask_secrets(AROUND.format(row=written))
    assert "hunter2" not in text
    assert text.startswith("  'dbname' => 'space_x',\n")
    assert text.endswith("\n  'loglevel' => 2,\n")


def test_what_is_no_secret_shows():
    text = AROUND.format(row=row("dbhost", "db1.example.org") + row("apps_paths", [{"url": "/x"}]))
    assert mask_secrets(text) == text


def test_a_text_without_end_is_hidden_to_the_end_of_its_line():
    assert "hunter2" not in mask_secrets("  'dbpassword' => 'hunter2\n")
