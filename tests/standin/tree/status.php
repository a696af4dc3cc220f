<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

use Standin\HintException;
use Standin\Server;

require_once __DIR__ . '/lib/base.php';

try {
    $status = Server::get()->status();
    header('Content-Type: application/json');
    echo json_encode($status);
} catch (HintException $error) {
    http_response_code(503);
    echo $error->getMessage();
} catch (\Throwable $error) {
    error_log('standin: ' . $error->getMessage());
    http_response_code(500);
}
