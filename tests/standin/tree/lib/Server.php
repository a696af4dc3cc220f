<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** One running instance: its parts, its state, and the checks before it serves. */
final class Server
{
    private static ?self $instance = null;

    public readonly Config $config;
    public readonly Database $database;
    public readonly Settings $settings;
    public readonly Apps $apps;
    public readonly Accounts $accounts;
    public readonly string $version;
    public readonly string $versionString;
    private ?\Redis $redis = null;

    private function __construct(public readonly string $root)
    {
        require $root . '/version.php';
        $this->version = implode('.', $OC_Version);
        $this->versionString = $OC_VersionString;
        $this->config = new Config();
        $this->database = new Database($this->config);
        $this->settings = new Settings($this->database);
        $this->apps = new Apps($this->config, $this->settings, $this->database, $root);
        $this->accounts = new Accounts($this->database, $this->settings, $this->config);
    }

    public static function get(): self
    {
        return self::$instance ??= new self(dirname(__DIR__));
    }

    public function isInstalled(): bool
    {
        return $this->config->flag('installed');
    }

    public function inMaintenance(): bool
    {
        return $this->config->flag('maintenance');
    }

    /** @throws HintException when the data is newer than the code */
    public function needsUpgrade(): bool
    {
        if (!$this->isInstalled()) {
            return false;
        }
        $data = $this->config->text('version', '0.0.0');
        if (version_compare($this->version, $data, '<')) {
            throw new HintException("Downgrading is not supported and is likely to cause unpredictable issues (from $data to {$this->version})");
        }
        return version_compare($this->version, $data, '>') || $this->apps->needsUpgrade();
    }

    /** @return array<string, bool|string> */
    public function status(): array
    {
        return [
            'installed' => $this->isInstalled(),
            'version' => $this->version,
            'versionstring' => $this->versionString,
            'edition' => '',
            'maintenance' => $this->inMaintenance(),
            'needsDbUpgrade' => $this->needsUpgrade(),
            'productname' => 'Archipel stand-in',
            'extendedSupport' => false,
        ];
    }

    /** @return list<string> what keeps this instance from running, as OC_Util::checkServer() finds it */
    public function problems(): array
    {
        $problems = [];
        if (!$this->config->flag('config_is_read_only') && !is_writable($this->config->folder)) {
            $problems[] = 'Cannot write into "config" directory.';
        }
        if ($this->config->get('appstoreenabled', true) !== false) {
            $writable = array_filter((array)$this->config->get('apps_paths', []), static fn ($path) => is_writable($path['path'] ?? ''));
            if ($writable === [] && !is_writable($this->root . '/apps')) {
                $problems[] = 'Cannot write into "apps" directory.';
            }
        }
        return $this->isInstalled() ? [...$problems, ...$this->dataProblems()] : $problems;
    }

    /** @return list<string> */
    private function dataProblems(): array
    {
        $data = $this->config->text('datadirectory');
        if (!str_starts_with($data, '/')) {
            return ['Your data directory must be an absolute path.'];
        }
        if (!is_dir($data) || !is_readable($data) || !is_writable($data)) {
            return ['Your data directory is not readable or not writable.'];
        }
        if (!is_file("$data/.ncdata") && !is_file("$data/.ocdata")) {
            return ['Your data directory is invalid: there is no ".ncdata" in its root.'];
        }
        if ($this->config->flag('check_data_directory_permissions', true) && (fileperms($data) & 0007) !== 0) {
            return ['Your data directory is readable by other people.'];
        }
        return [];
    }

    /** The cache that every page of Nextcloud needs, when the configuration names Redis. */
    public function redis(): ?\Redis
    {
        if ($this->redis !== null || !str_contains($this->config->text('memcache.locking') . $this->config->text('memcache.distributed'), 'Redis')) {
            return $this->redis;
        }
        $options = (array)$this->config->get('redis', []);
        $this->redis = new \Redis();
        $this->redis->connect($options['host'] ?? '127.0.0.1', (int)($options['port'] ?? 6379), (float)($options['timeout'] ?? 0));
        if (($options['password'] ?? '') !== '') {
            $this->redis->auth(isset($options['user']) ? [$options['user'], $options['password']] : $options['password']);
        }
        return $this->redis;
    }

    /** Runs $do alone on $path, across all workers of this instance. */
    public function locked(string $path, callable $do): mixed
    {
        $redis = $this->redis();
        $key = md5($this->config->text('instanceid') . $this->root) . '/lock/' . md5($path);
        if ($redis !== null && !$redis->set($key, 1, ['nx', 'ex' => 60])) {
            throw new HttpError(423, 'Locked', "$path is locked");
        }
        try {
            return $do();
        } finally {
            $redis?->del($key);
        }
    }

    /** The name people gave this space. */
    public function name(): string
    {
        return $this->settings->get('theming', 'name') ?? 'Nextcloud';
    }

    public function baseUrl(): string
    {
        if (PHP_SAPI === 'cli') {
            return rtrim($this->config->text('overwrite.cli.url', 'http://localhost'), '/');
        }
        $scheme = $this->config->text('overwriteprotocol') ?: (($_SERVER['HTTPS'] ?? '') === 'on' ? 'https' : 'http');
        return $scheme . '://' . ($this->config->text('overwritehost') ?: ($_SERVER['HTTP_HOST'] ?? 'localhost'));
    }

    /** Absolute address of a page, with or without index.php as the web server is set up. */
    public function url(string $path): string
    {
        $pretty = getenv('front_controller_active') === 'true' || ($_SERVER['front_controller_active'] ?? '') === 'true'
            || $this->config->flag('htaccess.IgnoreFrontController');
        return $this->baseUrl() . ($pretty ? '' : '/index.php') . $path;
    }
}
