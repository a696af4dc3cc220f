<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

use Standin\HttpError;
use Standin\Server;
use Standin\Web;

// Stands for the connector of ONLYOFFICE Docs: its settings out of config.php, and tokens made with them.
return static function (Server $server, Web $web, string $path): array {
    if ($path !== '/open') {
        throw new HttpError(404, 'NotFound', 'Page not found');
    }
    $config = (array)$server->config->get('onlyoffice', []);
    $encode = static fn (string $data): string => rtrim(strtr(base64_encode($data), '+/', '-_'), '=');
    $body = $encode('{"alg":"HS256","typ":"JWT"}') . '.' . $encode((string)json_encode(['c' => 'version']));
    $signature = hash_hmac('sha256', $body, (string)($config['jwt_secret'] ?? ''), true);
    return ['documentServerUrl' => $config['DocumentServerUrl'] ?? null, 'token' => $body . '.' . $encode($signature)];
};
