<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

use Standin\Server;

require_once __DIR__ . '/lib/base.php';

$server = Server::get();
if (!$server->isInstalled() || $server->inMaintenance() || $server->needsUpgrade()) {
    exit(0);
}
if (PHP_SAPI !== 'cli') {
    header('Content-Type: application/json');
    echo json_encode(['data' => ['message' => 'Backgroundjobs are using system cron!'], 'status' => 'error']);
    exit;
}
if (posix_getuid() !== $server->config->owner()) {
    echo "Console has to be executed with the user that owns the file config/config.php\n";
    exit(1);
}
if ($server->settings->get('core', 'backgroundjobs_mode') !== 'cron') {
    $server->settings->set('core', 'backgroundjobs_mode', 'cron');
}
$server->database->run('UPDATE *PREFIX*jobs SET last_run = ?', [time()]);
$server->settings->set('core', 'lastcron', time());
