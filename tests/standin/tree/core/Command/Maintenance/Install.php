<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

// Read by tools that want to know what the installer of a release can do; the
// work is in lib/Installation.php. Option that matters to them: 'disable-admin-user'.
return ['disable-admin-user'];
