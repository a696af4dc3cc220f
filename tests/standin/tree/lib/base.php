<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

require_once __DIR__ . '/versioncheck.php';
require_once __DIR__ . '/OC.php';

spl_autoload_register(static function (string $class): void {
    // The application under test runs its own code here; only its server is a stand-in.
    foreach (['Standin\\' => __DIR__ . '/', 'OCA\\Archipel\\' => __DIR__ . '/../apps-extra/archipel/lib/'] as $prefix => $folder) {
        if (str_starts_with($class, $prefix)) {
            $file = $folder . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
            if (is_file($file)) {
                require $file;
            }
        }
    }
});

if (PHP_SAPI !== 'cli') {
    header('X-Archipel-Standin: 1');
    // As the server does: a web server that says so adds them itself.
    if (($_SERVER['modHeadersAvailable'] ?? '') !== 'true') {
        header('X-Content-Type-Options: nosniff');
        header('X-Robots-Tag: noindex, nofollow');
    }
}
