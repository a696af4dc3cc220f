<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

// Kept free of new syntax: it must run on any PHP to say that this one will not do.
require __DIR__ . '/../version.php';
if (PHP_VERSION_ID < $STANDIN_PHP['min'] || PHP_VERSION_ID >= $STANDIN_PHP['below']) {
    http_response_code(500);
    echo 'This version of Nextcloud is not compatible with PHP ' . PHP_VERSION . ".\n";
    exit(1);
}
