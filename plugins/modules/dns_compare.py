#!/usr/bin/python
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Documentation of dns_compare, which runs on the controller as an action plugin."""

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_compare
short_description: Ask resolvers whether the names of an environment lead where they shall
version_added: 0.2.0
author:
  - The Archipel contributors
extends_documentation_fragment:
  - archipel.spaces.dns
description:
  - Asks each resolver for the addresses of every name, and for the CAA records that count for its
    certificate, and compares them with what P(archipel.spaces.dns_records#module) writes.
  - Runs on the controller, and changes nothing but its report. It does not fail where names are
    wrong.
options:
  resolvers:
    description: >-
      IP addresses of resolvers, each with its port behind C(#) where that is not 53. Empty, those
      of this machine.
    type: list
    elements: str
    default: []
  seconds:
    description: Seconds to wait for one answer, repetitions included.
    type: float
    default: 10.0
  parallel:
    description: Questions that each resolver is asked at the same time.
    type: int
    default: 100
  report:
    description: The file to write what was found to, as JSON.
    type: path
    required: true
  only:
    description: >-
      Words that select spaces, separated by commas. Empty, all of them, and the office servers.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: There is nothing to change.
  diff_mode:
    support: none
    description: There is nothing to change.
    details: What it writes is what was found at this moment.
  idempotent:
    support: full
    description: It never reports a change.
"""

EXAMPLES = r"""
- name: Ask two resolvers
  archipel.spaces.dns_compare:
    web: "{{ groups['web'] }}"
    settings: "{{ __platform_dns }}"
    resolvers: [9.9.9.9, 192.0.2.53#5353]
    report: build/demo/dns.json
"""

RETURN = r"""
resolvers:
  description: Who was asked.
  returned: always
  type: list
  elements: str
  sample: [9.9.9.9]
summary:
  description: How many names are how.
  returned: always
  type: str
  sample: "9 names: 8 ok, 1 elsewhere"
problems:
  description: What is wrong and what to do, a sentence for each name.
  returned: always
  type: list
  elements: str
  sample: []
associations:
  description: Domain → what its association has to do, in its language.
  returned: always
  type: dict
  sample: {}
"""
