<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

/** Where the classes are: the application's, Nextcloud's as far as tests need them, Debian's libraries. */

require '/usr/share/php/Symfony/Component/Console/autoload.php';
require '/usr/share/php/Psr/Log/autoload.php';
require __DIR__ . '/stubs/nextcloud.php';

spl_autoload_register(static function (string $class): void {
    foreach ([
        'OCA\\Archipel\\Tests\\' => __DIR__ . '/unit/',
        'OCA\\Archipel\\' => dirname(__DIR__, 2) . '/roles/nextcloud/files/apps/archipel/lib/',
    ] as $prefix => $folder) {
        if (str_starts_with($class, $prefix)) {
            $file = $folder . str_replace('\\', '/', substr($class, strlen($prefix))) . '.php';
            if (is_file($file)) {
                require $file;
            }
            return;
        }
    }
});
