# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""What makes spaces of the demo look like those of associations at work.

Each YAML file here is the content of one space, made through interfaces that everybody has.
"""
