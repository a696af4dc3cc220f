<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** config:* and app:*. */
final class ConfigCommands extends Command
{
    private const SENSITIVE = ['dbpassword', 'dbuser', 'dbname', 'dbhost', 'passwordsalt', 'secret', 'mail_smtppassword', 'redis', 'instanceid', 'trusted_domains', 'datadirectory'];

    public function systemGet(): int
    {
        $value = $this->server->config->all();
        foreach ($this->input->rest('name') as $key) {
            $value = is_array($value) ? $value[$key] ?? null : null;
        }
        if ($value === null) {
            return $this->input->has('default-value') ? $this->show($this->input->text('default-value')) : 1;
        }
        return is_array($value) && $this->input->text('output', 'plain') === 'plain'
            ? $this->say(implode("\n", array_map(fn ($item) => is_array($item) ? json_encode($item) : $this->plain($item), $value)))
            : $this->show($value);
    }

    public function systemSet(): int
    {
        $names = $this->input->rest('name');
        $value = $this->typed($this->input->text('value'), $this->input->text('type'));
        $key = array_shift($names);
        $this->server->config->set([$key => $this->nested($this->server->config->all()[$key] ?? null, $names, $value)]);
        $path = implode(' => ', [$key, ...$names]);
        return $this->say("System config value $path set to {$this->input->text('type', 'string')} {$this->plain(is_array($value) ? json_encode($value) : $value)}");
    }

    public function systemDelete(): int
    {
        $names = $this->input->rest('name');
        $key = array_shift($names);
        $current = $this->server->config->all()[$key] ?? null;
        if ($current === null && $this->input->has('error-if-not-exists')) {
            return $this->say("System config $key could not be deleted because it did not exist", 1);
        }
        $this->server->config->set([$key => $names === [] ? null : $this->nested($current, $names, null)]);
        return $this->say("System config value $key deleted");
    }

    public function appGet(): int
    {
        $value = $this->server->settings->get($this->input->argument('app'), $this->input->argument('name'));
        if ($value === null && !$this->input->has('default-value')) {
            return 1;
        }
        return $this->show($value ?? $this->input->text('default-value'));
    }

    public function appSet(): int
    {
        [$app, $name] = [$this->input->argument('app'), $this->input->argument('name')];
        $settings = $this->server->settings;
        $types = ['mixed' => Settings::MIXED, 'integer' => 8, 'boolean' => 32] + Settings::TYPES;
        $before = $settings->type($app, $name);
        // Without --type, a value keeps the type it is stored under.
        $wanted = $this->input->text('type') === '' ? $before : $types[$this->input->text('type')] ?? throw new HintException('Unknown value type');
        $type = (string)array_search($wanted ?: Settings::MIXED, $types, true);
        $value = $this->typed($this->input->text('value'), $type === 'mixed' ? 'string' : $type);
        if ($settings->get($app, $name) === Settings::stored($value) && $before === $types[$type]) {
            return $this->say('Config value were not updated');
        }
        $settings->retype($app, $name, $types[$type]);
        $type === 'mixed' ? $settings->setMixed($app, $name, (string)$value) : $settings->set($app, $name, $value);
        return $this->say("Config value '$name' for app '$app' is now set to '{$settings->get($app, $name)}', stored as $type in fast cache");
    }

    public function appDelete(): int
    {
        [$app, $name] = [$this->input->argument('app'), $this->input->argument('name')];
        if ($this->server->settings->get($app, $name) === null && $this->input->has('error-if-not-exists')) {
            return $this->say("Config $name of app $app could not be deleted because it did not exist", 1);
        }
        $this->server->settings->set($app, $name, null);
        return $this->say("Config value $name of app $app deleted");
    }

    public function all(): int
    {
        $only = $this->input->argument('app', 'all');
        $result = [];
        if ($only === 'all' || $only === 'system') {
            $system = $this->server->config->all();
            foreach ($this->input->has('private') ? [] : array_intersect(self::SENSITIVE, array_keys($system)) as $key) {
                $system[$key] = '***REMOVED SENSITIVE VALUE***';
            }
            $result['system'] = $system;
        }
        $apps = match ($only) {
            'all' => $this->server->settings->apps(),
            'system' => [],
            default => [$only],
        };
        foreach ($apps as $app) {
            $result['apps'][$app] = $this->server->settings->ofApp($app);
        }
        $this->input->has('output') || print json_encode($result, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES) . "\n";
        return $this->input->has('output') ? $this->show($result) : 0;
    }

    public function import(): int
    {
        $file = $this->input->argument('file', 'php://stdin');
        $wanted = json_decode((string)@file_get_contents($file), true);
        if (!is_array($wanted)) {
            return $this->say('<error>Unable to parse json</error>', 1);
        }
        if (array_diff(array_keys($wanted), ['system', 'apps']) !== []) {
            return $this->say('Wrong json structure: only "system" and "apps" are allowed', 1);
        }
        if (($wanted['system'] ?? []) !== []) {
            $this->server->config->set($wanted['system']);
        }
        foreach ($wanted['apps'] ?? [] as $app => $settings) {
            foreach ($settings as $key => $value) {
                $value === null
                    ? $this->server->settings->set($app, $key, null)
                    : $this->server->settings->setMixed($app, $key, Settings::stored($value));
            }
        }
        return $this->say("Config successfully imported from: $file");
    }

    public function apps(): int
    {
        $enabled = $this->server->apps->enabled();
        $disabled = [];
        foreach (array_diff_key($this->server->apps->available(), $enabled) as $app => $folder) {
            $installed = $this->server->settings->get($app, 'installed_version');
            $disabled[$app] = $this->server->apps->version($app) . ($installed === null ? '' : " (installed $installed)");
        }
        $result = [];
        $this->input->has('disabled') && !$this->input->has('enabled') || $result['enabled'] = $enabled;
        $this->input->has('enabled') && !$this->input->has('disabled') || $result['disabled'] = $disabled;
        return $this->show($result);
    }

    public function enable(): int
    {
        $status = 0;
        foreach ($this->input->rest('app-id') as $app) {
            try {
                if (isset($this->server->apps->enabled()[$app])) {
                    $this->say("$app already enabled");
                    continue;
                }
                $this->server->apps->enable($app);
                $this->say("$app {$this->server->apps->version($app)} enabled");
            } catch (\RuntimeException $error) {
                $status = $this->say($error->getMessage(), 1);
            }
        }
        return $status;
    }

    public function disable(): int
    {
        $status = 0;
        foreach ($this->input->rest('app-id') as $app) {
            if (in_array($app, $this->server->apps->alwaysEnabled(), true)) {
                $status = $this->say("$app can't be disabled.", 2);
            } elseif (!isset($this->server->apps->enabled()[$app])) {
                $this->say("No such app enabled: $app");
            } else {
                $this->server->apps->disable($app);
                $this->say("$app {$this->server->apps->version($app)} disabled");
            }
        }
        return $status;
    }

    /** $current with the value at the path $names replaced; null removes it. */
    private function nested(mixed $current, array $names, mixed $value): mixed
    {
        if ($names === []) {
            return $value;
        }
        $current = is_array($current) ? $current : [];
        $key = array_shift($names);
        $current[$key] = $this->nested($current[$key] ?? null, $names, $value);
        return array_filter($current, static fn ($item) => $item !== null);
    }
}
