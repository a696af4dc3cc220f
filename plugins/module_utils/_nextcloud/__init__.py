# Copyright: The Archipel contributors
# SPDX-License-Identifier: AGPL-3.0-or-later

"""Nextcloud itself: releases, installations, occ, configuration, checks of its pages."""
