<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

/** As much of the server's own class as configuration files name. */
final class OC
{
    /** Where this release is, with every link resolved. */
    public static string $SERVERROOT = '';
}

OC::$SERVERROOT = dirname(__DIR__);
