<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** Applications found in apps_paths, and which of them are on. */
final class Apps
{
    /** @var array<string, string>|null */
    private ?array $available = null;
    /** @var list<string>|null */
    private ?array $loaded = null;

    public function __construct(
        private Config $config,
        private Settings $settings,
        private Database $database,
        private string $root,
    ) {
    }

    /** @return list<string> */
    public function folders(): array
    {
        $paths = array_column((array)$this->config->get('apps_paths', []), 'path') ?: [$this->root . '/apps'];
        foreach ($paths as $path) {
            if (!is_dir($path)) {
                throw new \RuntimeException("App directory \"$path\" not found! Please put the Nextcloud apps folder in the Nextcloud folder.");
            }
        }
        return $paths;
    }

    /** @return array<string, string> id => folder */
    public function available(): array
    {
        if ($this->available !== null) {
            return $this->available;
        }
        $found = [];
        foreach ($this->folders() as $folder) {
            foreach (glob("$folder/*/appinfo/info.xml") ?: [] as $file) {
                $found[basename(dirname($file, 2))] = dirname($file, 2);
            }
        }
        ksort($found);
        return $this->available = $found;
    }

    public function version(string $app): string
    {
        return (string)($this->info($app)->version ?? '0');
    }

    /** @return array<string, string> id => installed version */
    public function enabled(): array
    {
        $enabled = [];
        foreach ($this->settings->everywhere('enabled') as $app => $value) {
            if ($value !== 'no' && isset($this->available()[$app])) {
                $enabled[$app] = $this->settings->get($app, 'installed_version') ?? '0';
            }
        }
        ksort($enabled);
        return $enabled;
    }

    /** @return list<string> those that were on when this process first asked */
    public function loaded(): array
    {
        return $this->loaded ??= array_keys($this->enabled());
    }

    public function needsUpgrade(): bool
    {
        foreach ($this->enabled() as $app => $installed) {
            if ($installed !== $this->version($app)) {
                return true;
            }
        }
        return false;
    }

    /** @return list<string> */
    public function alwaysEnabled(): array
    {
        return $this->shipped()['alwaysEnabled'];
    }

    /** @return list<string> */
    public function defaultEnabled(): array
    {
        $defaults = [...$this->shipped()['defaultEnabled'], ...$this->alwaysEnabled()];
        return array_values(array_intersect(array_unique($defaults), array_keys($this->available())));
    }

    /** Why an application cannot be enabled, or null. */
    public function obstacle(string $app): ?string
    {
        if (!isset($this->available()[$app])) {
            return "Could not download app $app";
        }
        $range = $this->info($app)?->dependencies?->nextcloud;
        $major = explode('.', Server::get()->version)[0];
        $min = (string)($range['min-version'] ?? '0');
        $max = (string)($range['max-version'] ?? '999');
        return version_compare($major, $min, '<') || version_compare($major, $max, '>')
            ? "App \"$app\" cannot be installed because it is not compatible with this version of the server."
            : null;
    }

    public function enable(string $app): void
    {
        $obstacle = $this->obstacle($app);
        if ($obstacle !== null) {
            throw new \RuntimeException($obstacle);
        }
        // As migrations do: the tables are there before anything is asked of the application.
        $tables = ($this->available()[$app] ?? '') . '/standin.sql';
        if (is_file($tables)) {
            $this->database->run((string)file_get_contents($tables));
        }
        $this->settings->set($app, 'installed_version', $this->version($app));
        $this->settings->set($app, 'types', '');
        $this->settings->set($app, 'enabled', 'yes');
    }

    public function disable(string $app): void
    {
        $this->settings->set($app, 'enabled', 'no');
    }

    private function info(string $app): ?\SimpleXMLElement
    {
        $file = ($this->available()[$app] ?? '') . '/appinfo/info.xml';
        return is_file($file) ? (simplexml_load_file($file) ?: null) : null;
    }

    /** @return array{alwaysEnabled: list<string>, defaultEnabled: list<string>} */
    private function shipped(): array
    {
        return json_decode((string)file_get_contents($this->root . '/core/shipped.json'), true, 8, JSON_THROW_ON_ERROR);
    }
}
