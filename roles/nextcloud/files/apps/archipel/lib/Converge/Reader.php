<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** Turns decoded JSON into checked values and gathers what is wrong with it. */
final class Reader
{
    public const APPLICATION = '/^[a-z][a-z0-9_]{1,63}$/D';
    public const GROUP = '/^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}$/D';
    public const ACCOUNT = "/^[A-Za-z0-9][A-Za-z0-9 ._@'-]{0,63}$/D";
    private const SETTINGS_CLASS = '/^OCA(\\\\[A-Za-z0-9_]+){2,}$/D';
    private const LANGUAGE = '/^[a-z]{2,3}(_[A-Z]{2,3})?$/D';
    private const LOCALE = '/^[a-z]{2,3}(_[A-Za-z]{2,4})*$/D';
    // Set by Nextcloud itself; writing them would lie about what is installed.
    private const PROTECTED_KEYS = ['enabled', 'installed_version', 'types'];

    /** @var list<string> */
    private array $problems = [];

    /** @return list<string> */
    public function problems(): array
    {
        return $this->problems;
    }

    /**
     * @param list<string> $allowed
     * @return array<string, mixed>
     */
    public function object(mixed $value, string $where, array $allowed): array
    {
        if (!$value instanceof \stdClass) {
            $this->problem($where, $value, 'an object');
            return [];
        }
        $members = get_object_vars($value);
        foreach (array_diff(array_map('strval', array_keys($members)), $allowed) as $key) {
            $this->problems[] = "$where: unknown key " . json_encode($key) . '; allowed: ' . implode(', ', $allowed);
        }
        return $members;
    }

    /** @return list<string> */
    public function names(mixed $value, string $where, string $pattern): array
    {
        if (!is_array($value)) {
            $this->problem($where, $value, 'a list of names');
            return [];
        }
        foreach ($value as $index => $name) {
            if (!is_string($name) || preg_match($pattern, $name) !== 1) {
                $this->problem("{$where}[$index]", $name, "a name that matches $pattern");
            }
        }
        return array_values(array_unique(array_filter($value, 'is_string')));
    }

    public function flag(mixed $value, string $where): bool
    {
        if (!is_bool($value)) {
            $this->problem($where, $value, 'true or false');
        }
        return $value === true;
    }

    public function invite(mixed $value): string
    {
        if (!is_bool($value) && $value !== DesiredState::INVITE_AGAIN) {
            $this->problem('invite', $value, 'true, false or "again"');
        }
        return match ($value) {
            true => DesiredState::INVITE_ONCE,
            DesiredState::INVITE_AGAIN => DesiredState::INVITE_AGAIN,
            default => DesiredState::INVITE_NEVER,
        };
    }

    /** @return array<string, array<string, string|int|float|bool|array|null>> */
    public function appConfig(mixed $value, string $name): array
    {
        $config = [];
        foreach ($this->object($value, $name, $this->keysOf($value)) as $app => $settings) {
            $where = "$name.$app";
            if (preg_match(self::APPLICATION, (string)$app) !== 1) {
                $this->problem($where, $app, 'an application id');
            }
            foreach ($this->object($settings, $where, $this->keysOf($settings)) as $key => $setting) {
                if (in_array($key, self::PROTECTED_KEYS, true)) {
                    $this->problems[] = "$where.$key: belongs to Nextcloud; use apps.enable and apps.disable";
                }
                $config[$app][(string)$key] = $this->plain($setting, "$where.$key");
            }
        }
        return $config;
    }

    /** Structures are stored the way Nextcloud stores arrays: as JSON. */
    private function plain(mixed $setting, string $where): string|int|float|bool|array|null
    {
        // JSON may hold numbers that are none any more: 1e999.
        $written = json_encode($setting);
        if ($written === false) {
            $this->problem($where, $setting, 'numbers below 1.8e308');
            return null;
        }
        return $setting instanceof \stdClass || is_array($setting) ? json_decode($written, true, 32, JSON_THROW_ON_ERROR) : $setting;
    }

    /** null: the registry gives no logo. */
    public function logo(mixed $value): Logo
    {
        if ($value === null) {
            return new Logo('', '');
        }
        $logo = $this->object($value, 'logo', ['file', 'sha256']);
        return new Logo(
            $this->word($logo['file'] ?? null, 'logo.file', '#^/.+$#D', 'an absolute path'),
            $this->word($logo['sha256'] ?? null, 'logo.sha256', '/^[0-9a-f]{64}$/D', '64 hexadecimal digits'),
        );
    }

    public function office(mixed $value): Office
    {
        $office = $this->object($value, 'office', ['suites', 'default', 'pinned']);
        $suites = [];
        $found = $office['suites'] ?? null;
        foreach ($this->object($found, 'office.suites', $this->keysOf($found)) as $suite => $details) {
            $where = "office.suites.$suite";
            $details = $this->object($details, $where, ['name', 'application', 'open', 'served']);
            $suites[(string)$suite] = [
                'name' => $this->word($details['name'] ?? null, "$where.name", '/^.{1,100}$/Du', 'a name'),
                'application' => $this->word($details['application'] ?? null, "$where.application", self::APPLICATION, 'an id'),
                'served' => $this->flag($details['served'] ?? true, "$where.served"),
            ] + $this->open($details['open'] ?? null, "$where.open");
        }
        return new Office(
            $suites,
            $this->word($office['default'] ?? null, 'office.default', '/^[a-z][a-z0-9]{1,31}$/D', 'the id of a suite'),
            $this->flag($office['pinned'] ?? false, 'office.pinned'),
        );
    }

    /** @return array{open?: array<string, string>} how open documents are counted */
    private function open(mixed $value, string $where): array
    {
        if ($value === null) {
            return [];
        }
        $open = [];
        $keys = $this->object($value, $where, ['query', 'url', 'key']);
        foreach ($keys as $key => $text) {
            $open[$key] = $this->word($text, "$where.$key", '/^.{1,2000}$/Ds', 'a text');
        }
        if (array_keys($open) !== ['query'] && (count($open) !== 2 || isset($open['query']))) {
            $this->problem($where, array_keys($open), 'either query, or url and key');
        }
        return ['open' => $open];
    }

    /** @return array<string, list<string>> */
    public function delegations(mixed $value): array
    {
        $delegations = [];
        foreach ($this->object($value, 'delegations', $this->keysOf($value)) as $class => $groups) {
            $class = ltrim((string)$class, '\\');
            if (preg_match(self::SETTINGS_CLASS, $class) !== 1) {
                $this->problem('delegations', $class, 'a settings class such as OCA\Theming\Settings\Admin');
            }
            $delegations[$class] = $this->names($groups, "delegations.$class", self::GROUP);
        }
        return $delegations;
    }

    public function administrator(mixed $value): Administrator
    {
        $admin = $this->object($value, 'admin', [
            'uid', 'display_name', 'email', 'language', 'locale', 'groups', 'subadmin_of',
        ]);
        $groups = $this->names($admin['groups'] ?? [], 'admin.groups', self::GROUP);
        if (in_array('admin', $groups, true)) {
            $this->problems[] = 'admin.groups: members of "admin" run the server; a space administrator may not be one';
        }
        $email = $this->text($admin, 'email', '/^[^\s@]+@[^\s@]+$/Du', 'a mail address');
        return new Administrator(
            $this->text($admin, 'uid', self::ACCOUNT, 'an account name'),
            $this->text($admin, 'display_name', '/^.{1,255}$/Dus', 'up to 255 characters', ''),
            $email,
            $this->text($admin, 'language', self::LANGUAGE, 'a language such as fr', ''),
            $this->text($admin, 'locale', self::LOCALE, 'a locale such as fr_FR', ''),
            $groups,
            $this->names($admin['subadmin_of'] ?? [], 'admin.subadmin_of', self::GROUP),
        );
    }

    /** @param array<string, mixed> $members */
    private function text(array $members, string $key, string $pattern, string $allowed, ?string $default = null): string
    {
        $value = $members[$key] ?? $default;
        if ($value === $default && $default !== null) {
            return $default;
        }
        return $this->word($value, "admin.$key", $pattern, $allowed);
    }

    private function word(mixed $value, string $where, string $pattern, string $allowed): string
    {
        if (!is_string($value) || preg_match($pattern, $value) !== 1) {
            $this->problem($where, $value, $allowed);
            return '';
        }
        return $value;
    }

    /** @return list<string> */
    private function keysOf(mixed $value): array
    {
        return $value instanceof \stdClass ? array_map('strval', array_keys(get_object_vars($value))) : [];
    }

    private function problem(string $where, mixed $found, string $allowed): void
    {
        $shown = json_encode($found, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PARTIAL_OUTPUT_ON_ERROR);
        $this->problems[] = "$where: found " . mb_strimwidth((string)$shown, 0, 80, '…') . ", expected $allowed";
    }
}
