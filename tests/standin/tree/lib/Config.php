<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** The configuration of one instance, with Nextcloud's merge and write-back rules. */
final class Config
{
    public readonly string $folder;
    private string $file;
    /** @var array<string, mixed> */
    private array $cache = [];
    /** @var array<string, string> */
    private array $environment = [];
    private bool $readOnly;

    public function __construct()
    {
        $folder = getenv('NEXTCLOUD_CONFIG_DIR');
        $this->folder = rtrim($folder === false || $folder === '' ? dirname(__DIR__) . '/config' : $folder, '/') . '/';
        $this->file = $this->folder . 'config.php';
        $this->read();
        $this->readOnly = (bool)$this->get('config_is_read_only', false);
    }

    public function get(string $key, mixed $default = null): mixed
    {
        return $this->environment[$key] ?? $this->cache[$key] ?? $default;
    }

    public function text(string $key, string $default = ''): string
    {
        return (string)$this->get($key, $default);
    }

    public function flag(string $key, bool $default = false): bool
    {
        return filter_var($this->get($key, $default), FILTER_VALIDATE_BOOL);
    }

    /** @return array<string, mixed> */
    public function all(): array
    {
        return $this->environment + $this->cache;
    }

    public function owner(): int|false
    {
        // The server makes an empty file as it starts: the first occ of a space owns it.
        if (!file_exists($this->file)) {
            @touch($this->file);
        }
        return @fileowner($this->file);
    }

    /** @param array<string, mixed> $values null deletes */
    public function set(array $values): void
    {
        $before = $this->cache;
        foreach ($values as $key => $value) {
            $this->cache[$key] = $value;
        }
        $this->cache = array_filter($this->cache, static fn ($value) => $value !== null);
        if ($this->cache !== $before) {
            $this->write();
        }
    }

    private function read(): void
    {
        // Newer releases merge lists by position, older ones replace them.
        $merge = require __DIR__ . '/private/Config.php';
        $extra = glob($this->folder . '*.config.php') ?: [];
        natsort($extra);
        foreach ([$this->file, ...$extra] as $file) {
            if (!is_readable($file)) {
                if ($file === $this->file) {
                    continue;
                }
                http_response_code(500);
                exit("FATAL: Could not open the config file $file");
            }
            unset($CONFIG);
            // An upgrade or maintenance mode must be seen at once, cached or not.
            if (function_exists('opcache_invalidate')) {
                @opcache_invalidate($file, false);
            }
            include $file;
            if (isset($CONFIG) && is_array($CONFIG)) {
                $this->cache = $merge($this->cache, $CONFIG);
            }
        }
        foreach (getenv() as $name => $value) {
            if (str_starts_with($name, 'NC_')) {
                $this->environment[substr($name, 3)] = $value;
            }
        }
    }

    /** The whole merged cache goes into config.php, keys of *.config.php included. */
    private function write(): void
    {
        if ($this->readOnly) {
            throw new HintException('Config is set to be read-only via option "config_is_read_only".');
        }
        if (!isset($this->cache['version'])) {
            throw new HintException("Configuration was not read or initialized correctly, not overwriting {$this->file}");
        }
        $content = "<?php\n\$CONFIG = " . var_export($this->cache, true) . ";\n";
        if (!@touch($this->file) || ($handle = @fopen($this->file, 'r+')) === false) {
            throw new HintException("Can't write into config directory!");
        }
        chmod($this->file, 0640);
        if (disk_free_space($this->folder) < strlen($content) + 10240) {
            throw new HintException("{$this->folder} does not have enough space for writing the config file! Not writing it back!");
        }
        flock($handle, LOCK_EX);
        ftruncate($handle, 0);
        fwrite($handle, $content);
        fclose($handle);
        if (function_exists('opcache_invalidate')) {
            @opcache_invalidate($this->file, true);
        }
    }
}
