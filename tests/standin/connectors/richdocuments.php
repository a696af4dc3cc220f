<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

use Standin\HttpError;
use Standin\Server;
use Standin\Web;

// Stands for the connector of Collabora Online: its settings, its table of tokens, its WOPI host.
return static function (Server $server, Web $web, string $path): array {
    $database = $server->database;
    $setting = static fn (string $key): string => (string)$server->settings->get('richdocuments', $key);
    if ($path === '/open') {
        // In the index, where what is open is looked for; and saved long ago.
        $path = 'files/document.odt';
        $database->run('INSERT IGNORE INTO *PREFIX*filecache (storage, path, path_hash, name, size, mtime, etag)
            VALUES (0, ?, ?, ?, 0, 0, ?)', [$path, md5($path), basename($path), 'document']);
        $file = (int)$database->value('SELECT fileid FROM *PREFIX*filecache WHERE storage = 0 AND path_hash = ?', [md5($path)]);
        $token = bin2hex(random_bytes(16));
        $database->run(
            'INSERT INTO *PREFIX*richdocuments_wopi (fileid, token, canwrite, expiry) VALUES (?, ?, 1, ?)',
            [$file, $token, time() + (int)$setting('token_ttl')],
        );
        $discovery = (string)@file_get_contents($setting('wopi_url') . '/hosting/discovery');
        preg_match('/urlsrc="([^"]+)"/', $discovery, $found);
        return ['urlsrc' => $found[1] ?? null, 'fileid' => $file, 'access_token' => $token];
    }
    if (preg_match('#^/wopi/files/(\d+)(/contents)?$#', $path, $found) !== 1) {
        throw new HttpError(404, 'NotFound', 'Page not found');
    }
    $from = explode(',', $setting('wopi_allowlist'));
    if (!in_array($_SERVER['REMOTE_ADDR'], $from, true)) {
        throw new HttpError(403, 'Forbidden', 'WOPI request denied');
    }
    $known = $database->value(
        'SELECT fileid FROM *PREFIX*richdocuments_wopi WHERE token = ? AND expiry > ?',
        [(string)($_GET['access_token'] ?? ''), time()],
    );
    if ($known !== $found[1]) {
        throw new HttpError(403, 'Forbidden', 'Unknown token');
    }
    return isset($found[2]) ? ['text' => 'the document'] : ['BaseFileName' => 'document.odt', 'Size' => 12];
};
