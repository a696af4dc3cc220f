<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

use Standin\CommandFailed;
use Standin\Console;
use Standin\Server;

define('OC_CONSOLE', 1);

try {
    require_once __DIR__ . '/lib/base.php';
    if (PHP_SAPI !== 'cli') {
        echo "This script can be run from the command line only\n";
        exit(1);
    }
    $owner = Server::get()->config->owner();
    if (posix_getuid() !== $owner) {
        echo "Console has to be executed with the user that owns the file config/config.php\n";
        echo 'Current user id: ' . posix_getuid() . "\nOwner id of config.php: " . var_export($owner, true) . "\n";
        exit(1);
    }
    chdir(__DIR__);
    exit((new Console(Server::get()))->run(array_slice($_SERVER['argv'], 1)));
} catch (CommandFailed $refusal) {
    echo $refusal->getMessage() . "\n";
    exit(1);
} catch (\Throwable $error) {
    fwrite(STDERR, "\n  " . $error->getMessage() . "\n\n");
    exit(1);
}
