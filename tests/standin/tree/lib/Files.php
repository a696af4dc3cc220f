<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** One account's files on disk, with what oc_filecache remembers of them. */
final class Files
{
    private int $storage;
    private string $root;

    public function __construct(private Server $server, public readonly string $uid)
    {
        $this->root = $server->accounts->home($uid) . '/files';
        is_dir($this->root) || mkdir($this->root, 0750, true);
        $server->database->run('INSERT IGNORE INTO *PREFIX*storages (id) VALUES (?)', ["home::$uid"]);
        $this->storage = (int)$server->database->value('SELECT numeric_id FROM *PREFIX*storages WHERE id = ?', ["home::$uid"]);
    }

    /** The place on disk of a path as clients write it; never above the account's own folder. */
    public function disk(string $path): string
    {
        foreach (explode('/', $path) as $part) {
            if ($part === '..' || $part === '.' || str_contains($part, "\0")) {
                throw new HttpError(403, 'Forbidden', 'This path is not allowed');
            }
        }
        return rtrim($this->root . '/' . trim($path, '/'), '/');
    }

    public function exists(string $path): bool
    {
        return file_exists($this->disk($path));
    }

    public function isFolder(string $path): bool
    {
        return is_dir($this->disk($path));
    }

    /** @return list<string> paths of the direct members */
    public function members(string $path): array
    {
        $names = array_diff(scandir($this->disk($path)) ?: [], ['.', '..']);
        return array_map(static fn (string $name): string => ltrim(trim($path, '/') . '/' . $name, '/'), array_values($names));
    }

    /** @return array{fileid: int, etag: string, size: int, mtime: int} */
    public function entry(string $path): array
    {
        $disk = $this->disk($path);
        $key = 'files/' . trim($path, '/');
        $row = $this->row($key);
        $mtime = (int)filemtime($disk);
        if ($row === null || (!is_dir($disk) && ((int)$row['mtime'] !== $mtime || (int)$row['size'] !== filesize($disk)))) {
            $this->remember($path);
            $row = $this->row($key);
        }
        return [
            'fileid' => (int)$row['fileid'],
            'etag' => $row['etag'],
            'size' => is_dir($disk) ? self::sizeBelow($disk) : (int)$row['size'],
            'mtime' => $mtime,
        ];
    }

    /** Gives a path, and every folder above it, a new etag. */
    public function remember(string $path): void
    {
        $path = trim($path, '/');
        do {
            $disk = $this->disk($path);
            if (file_exists($disk)) {
                clearstatcache(true, $disk);
                $this->server->database->run(
                    'INSERT INTO *PREFIX*filecache (storage, path, path_hash, name, size, mtime, etag) VALUES (?, ?, ?, ?, ?, ?, ?)
                     ON DUPLICATE KEY UPDATE size = VALUES(size), mtime = VALUES(mtime), etag = VALUES(etag)',
                    [$this->storage, "files/$path", md5("files/$path"), basename($path), is_dir($disk) ? 0 : filesize($disk), filemtime($disk), bin2hex(random_bytes(16))],
                );
            }
            $done = $path === '';
            $path = $path === '' || dirname($path) === '.' ? '' : dirname($path);
        } while (!$done);
    }

    public function forget(string $path): void
    {
        $key = 'files/' . trim($path, '/');
        $this->server->database->run(
            'DELETE FROM *PREFIX*filecache WHERE storage = ? AND (path = ? OR path LIKE ?)',
            [$this->storage, $key, addcslashes($key, '%_\\') . '/%'],
        );
        $this->remember(dirname($key) === 'files' ? '' : substr(dirname($key), 6));
    }

    /** Bytes that may still be written: what the disk has, or less with a quota. */
    public function free(): int
    {
        $disk = (int)disk_free_space($this->root);
        $quota = $this->quota();
        return $quota === null ? $disk : max(0, min($disk, $quota - $this->used()));
    }

    public function used(): int
    {
        return self::sizeBelow($this->root);
    }

    public function quota(): ?int
    {
        $text = $this->server->settings->ofUser($this->uid, 'files', 'quota') ?? 'default';
        $text = $text === 'default' ? ($this->server->settings->get('files', 'default_quota') ?? 'none') : $text;
        if (preg_match('/^\s*([\d.]+)\s*([KMGT]?)B?\s*$/i', $text, $parts) !== 1) {
            return null;
        }
        $power = ['' => 0, 'K' => 1, 'M' => 2, 'G' => 3, 'T' => 4][strtoupper($parts[2])];
        return (int)round((float)$parts[1] * 1024 ** $power);
    }

    /** @return list<string> paths of all files below a folder, sorted */
    public static function below(string $folder): array
    {
        $files = [];
        $all = new \RecursiveIteratorIterator(new \RecursiveDirectoryIterator($folder, \FilesystemIterator::SKIP_DOTS));
        foreach ($all as $file) {
            $files[] = substr($file->getPathname(), strlen($folder) + 1);
        }
        sort($files);
        return $files;
    }

    public static function removeTree(string $path): void
    {
        if (is_dir($path) && !is_link($path)) {
            foreach (array_diff(scandir($path) ?: [], ['.', '..']) as $name) {
                self::removeTree("$path/$name");
            }
            rmdir($path);
        } elseif (file_exists($path)) {
            unlink($path);
        }
    }

    private static function sizeBelow(string $folder): int
    {
        return array_sum(array_map(static fn (string $path): int => (int)filesize("$folder/$path"), self::below($folder)));
    }

    /** @return array<string, string>|null */
    private function row(string $key): ?array
    {
        return $this->server->database
            ->run('SELECT * FROM *PREFIX*filecache WHERE storage = ? AND path_hash = ?', [$this->storage, md5($key)])
            ->fetch(\PDO::FETCH_ASSOC) ?: null;
    }
}
