# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""nginx and PHP-FPM: virtual hosts, compiled code."""
