#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Documentation of dns_records, which runs on the controller as an action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_records
short_description: Write the DNS records that an environment needs
version_added: 0.2.0
author:
  - The Archipel contributors
extends_documentation_fragment:
  - archipel.spaces.dns
description:
  - Writes the records below the base domain as a fragment of its zone, all records as a table and
    as JSON, and for each association with domains of its own what it has to set, in its language.
  - Runs on the controller, and neither asks nor changes any name server.
  - The folder ends up holding exactly that; a folder with other things in it is refused.
options:
  directory:
    description: The folder to write.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Reports exactly what a real run would change.
  diff_mode:
    support: full
    description: Shows which records are others than before; the first hundred files.
  idempotent:
    support: full
    description: A second run changes nothing.
"""

EXAMPLES = r"""
- name: Write the records
  archipel.spaces.dns_records:
    web: "{{ groups['web'] }}"
    settings: "{{ __platform_dns }}"
    directory: build/demo/dns-records
"""

RETURN = r"""
names:
  description: Number of host names.
  returned: always
  type: int
  sample: 9
own:
  description: How many of them are domains of associations.
  returned: always
  type: int
  sample: 1
problem:
  description: Why nothing could be written, as where a node has no address; empty if it was.
  returned: always
  type: str
  sample: ""
said:
  description: The same in a sentence, in the language of the run.
  returned: always
  type: str
  sample: DNS records of 12 names, 2 of them of associations, in build/demo/dns-records
changes:
  description: Files that were written or removed; the first hundred.
  returned: always
  type: list
  elements: str
  sample: [zone.txt]
"""
