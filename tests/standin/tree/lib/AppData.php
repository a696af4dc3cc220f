<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** The folder of the applications' own data: what is on the disk, and what oc_filecache says is. */
final class AppData
{
    private int $storage;
    private string $data;
    private string $folder;

    public function __construct(private Server $server)
    {
        $this->data = rtrim($server->config->text('datadirectory'), '/');
        $this->folder = 'appdata_' . $server->config->text('instanceid');
        $name = "local::{$this->data}/";
        $server->database->run('INSERT IGNORE INTO *PREFIX*storages (id) VALUES (?)', [$name]);
        $this->storage = (int)$server->database->value('SELECT numeric_id FROM *PREFIX*storages WHERE id = ?', [$name]);
    }

    /** A file's content; made where the table does not list it. One that is listed and gone is an error. */
    public function content(string $path): string
    {
        $key = "{$this->folder}/$path";
        $disk = "{$this->data}/$key";
        if ($this->server->database->value('SELECT fileid FROM *PREFIX*filecache WHERE storage = ? AND path_hash = ?', [$this->storage, md5($key)]) === null) {
            is_dir(dirname($disk)) || mkdir(dirname($disk), 0750, true);
            file_put_contents($disk, "// {$this->server->versionString}\n");
            $this->remember($key);
        }
        $content = is_file($disk) ? file_get_contents($disk) : false;
        return $content === false ? throw new \RuntimeException("$key is listed, and not on the disk") : $content;
    }

    /** Removes the files of a folder, here and there. */
    public function clear(string $folder): void
    {
        $key = "{$this->folder}/$folder";
        Files::removeTree("{$this->data}/$key");
        $this->server->database->run('DELETE FROM *PREFIX*filecache WHERE storage = ? AND path LIKE ?', [$this->storage, addcslashes($key, '%_\\') . '/%']);
    }

    /** Lets the table say what is on the disk. */
    public function scan(): void
    {
        $root = "{$this->data}/{$this->folder}";
        $found = is_dir($root) ? Files::below($root) : [];
        $listed = $this->server->database->column(
            'SELECT path FROM *PREFIX*filecache WHERE storage = ? AND path LIKE ?',
            [$this->storage, addcslashes($this->folder, '%_\\') . '/%'],
        );
        $there = array_map(fn (string $path): string => "{$this->folder}/$path", $found);
        foreach (array_diff($listed, $there) as $key) {
            $this->server->database->run('DELETE FROM *PREFIX*filecache WHERE storage = ? AND path_hash = ?', [$this->storage, md5($key)]);
        }
        array_map($this->remember(...), array_diff($there, $listed));
    }

    private function remember(string $key): void
    {
        $this->server->database->run(
            'INSERT IGNORE INTO *PREFIX*filecache (storage, path, path_hash, name, size, mtime, etag) VALUES (?, ?, ?, ?, ?, ?, ?)',
            [$this->storage, $key, md5($key), basename($key), filesize("{$this->data}/$key"), filemtime("{$this->data}/$key"), bin2hex(random_bytes(16))],
        );
    }
}
