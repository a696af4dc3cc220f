<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use OCA\Archipel\Converge\Administrator;
use OCA\Archipel\Converge\Invitation;
use OCA\Archipel\Converge\Space;

/** A space in memory. What a test names in `fails` is refused. */
final class FakeSpace implements Space
{
    /** @var list<string> what was done, in order */
    public array $done = [];
    /** @var list<string> */
    public array $fails = [];
    /** @var list<string> */
    public array $enabled = ['files', 'survey_client'];
    /** @var list<string> */
    public array $shipped = ['files', 'survey_client', 'calendar', 'richdocuments', 'onlyoffice'];
    /** @var array<string, string> application/key => value */
    public array $settings = [];
    /** @var list<string> */
    public array $typed = [];
    /** @var list<string> */
    public array $unreadable = [];
    /** @var list<string> */
    public array $groups = [];
    /** @var array<string, list<string>> account => groups */
    public array $members = [];
    /** @var array<string, list<string>> account => groups it administers */
    public array $subadmins = [];
    /** @var array<string, list<string>> */
    public array $delegations = [];
    /** @var array<string, int> */
    public array $invited = [];
    /** @var list<Invitation> */
    public array $mailed = [];
    /** @var array<string, string> account => the link that works */
    public array $links = [];
    public int $made = 0;
    /** @var array<string, string> account => mail address */
    public array $addresses = [];
    /** @var array<string, int> account => last login */
    public array $logins = [];
    /** @var list<string> accounts that may not log in */
    public array $disabled = [];
    /** @var array<string, string> words of the one language that there is */
    public array $words = [];
    public string $timezone = 'Europe/Paris';
    public ?string $logo = null;
    public ?int $open = 0;
    /** @var array{used: int, limit: int|null} */
    public array $accounts = ['used' => 3, 'limit' => 50];
    /** @var array{size: int, free: int} */
    public array $disk = ['size' => 0, 'free' => 0];
    public int $indexed = 0;

    private function do(string $what): void
    {
        if (in_array($what, $this->fails, true)) {
            throw new \RuntimeException('refused');
        }
        $this->done[] = $what;
    }

    public function version(): string
    {
        return '33.0.3.1';
    }

    public function isEnabled(string $app): bool
    {
        return in_array($app, $this->enabled, true);
    }

    public function obstacle(string $app): ?string
    {
        return in_array($app, $this->shipped, true) ? null : 'it is not part of this release';
    }

    public function mayBeDisabled(string $app): bool
    {
        return $app !== 'files';
    }

    public function enable(string $app): void
    {
        $this->do("enable $app");
        $this->enabled[] = $app;
    }

    public function disable(string $app): void
    {
        $this->do("disable $app");
        $this->enabled = array_values(array_diff($this->enabled, [$app]));
    }

    public function applications(): array
    {
        return array_fill_keys($this->enabled, '1.0.0');
    }

    public function setting(string $app, string $key): ?string
    {
        return $this->settings["$app/$key"] ?? null;
    }

    public function isTyped(string $app, string $key): bool
    {
        return in_array("$app/$key", $this->typed, true);
    }

    public function saveSetting(string $app, string $key, string|int|float|bool|array|null $value): void
    {
        $this->do("save $app/$key");
        $this->typed = array_values(array_diff($this->typed, ["$app/$key"]));
        $this->settings["$app/$key"] = match (true) {
            is_array($value) => json_encode($value),
            is_bool($value) => $value ? '1' : '0',
            default => (string)$value,
        };
        if ($value === null) {
            unset($this->settings["$app/$key"]);
        }
    }

    public function unreadable(): array
    {
        return $this->unreadable;
    }

    public function readableAs(string $app, string $key): array
    {
        return $this->isTyped($app, $key) ? ['string'] : ['string', 'int', 'float', 'bool', 'array'];
    }

    public function logo(): ?string
    {
        return $this->logo;
    }

    public function saveLogo(string $file): void
    {
        $this->do('save logo');
        $this->logo = hash_file('sha256', $file);
    }

    public function removeLogo(): void
    {
        $this->do('remove logo');
        $this->logo = null;
    }

    public function hasGroup(string $group): bool
    {
        return in_array($group, $this->groups, true);
    }

    public function addGroup(string $group): void
    {
        $this->do("add group $group");
        $this->groups[] = $group;
    }

    public function hasAccount(string $uid): bool
    {
        return isset($this->members[$uid]);
    }

    public function addAccount(Administrator $admin): void
    {
        $this->do("add account $admin->uid");
        $this->members[$admin->uid] = [];
    }

    public function removeAccount(string $uid): void
    {
        $this->do("remove account $uid");
        unset($this->members[$uid]);
    }

    public function isMember(string $uid, string $group): bool
    {
        return in_array($group, $this->members[$uid] ?? [], true);
    }

    public function addMember(string $uid, string $group): void
    {
        $this->do("add $uid to $group");
        $this->members[$uid][] = $group;
    }

    public function isSubadmin(string $uid, string $group): bool
    {
        return in_array($group, $this->subadmins[$uid] ?? [], true);
    }

    public function addSubadmin(string $uid, string $group): void
    {
        $this->do("let $uid administer $group");
        $this->subadmins[$uid][] = $group;
    }

    public function isDelegable(string $class): bool
    {
        return str_contains($class, 'Theming');
    }

    public function delegates(string $class): array
    {
        return $this->delegations[$class] ?? [];
    }

    public function delegate(string $class, string $group): void
    {
        $this->do("delegate $class to $group");
        $this->delegations[$class][] = $group;
    }

    public function revoke(string $class, string $group): void
    {
        $this->do("revoke $class from $group");
        $this->delegations[$class] = array_values(array_diff($this->delegations[$class], [$group]));
    }

    public function invitedAt(string $uid): int
    {
        return $this->invited[$uid] ?? 0;
    }

    public function markInvited(string $uid): void
    {
        $this->do("mark $uid invited");
        $this->invited[$uid] = 1_700_000_000;
    }

    public function passwordLink(string $uid): string
    {
        $this->links[$uid] = 'link ' . ++$this->made;
        return "https://velo.example/reset/$uid";
    }

    public function presentLink(string $uid): string
    {
        return $this->links[$uid] ?? '';
    }

    public function restoreLink(string $uid, string $present): void
    {
        $this->links[$uid] = $present;
    }

    public function linkSeconds(): int
    {
        return 7 * 24 * 3600;
    }

    public function lastLogin(string $uid): int
    {
        return $this->logins[$uid] ?? 0;
    }

    public function mayLogIn(string $uid): bool
    {
        return !in_array($uid, $this->disabled, true);
    }

    public function mailAddress(string $uid): string
    {
        return $this->addresses[$uid] ?? '';
    }

    public function rename(Administrator $admin): void
    {
        $this->do("rename {$admin->uid}");
        $this->addresses[$admin->uid] = $admin->email;
    }

    public function url(): string
    {
        return 'https://velo.example';
    }

    public function timezone(): string
    {
        return $this->timezone;
    }

    public function name(): string
    {
        return 'Vélo-école';
    }

    public function translate(string $language, string $text, array $parameters): string
    {
        if ($this->words !== []) {
            return vsprintf($this->words[$text] ?? $text, $parameters);
        }
        return $language . ($language === '' ? '' : ': ') . vsprintf(str_replace('%%', '%', $text), $parameters);
    }

    public function mail(Invitation $invitation): void
    {
        $this->do("mail $invitation->to");
        $this->mailed[] = $invitation;
    }

    public function accounts(): array
    {
        return $this->accounts;
    }

    public function subadmins(): array
    {
        return array_keys($this->subadmins);
    }

    public function lastCron(): int
    {
        return 1_700_000_000;
    }

    public function disk(): array
    {
        return $this->disk;
    }

    public function indexed(): int
    {
        return $this->indexed;
    }

    public function openDocuments(array $how): ?int
    {
        return $this->open;
    }

    public function scheduleSwitch(): void
    {
        $this->do('schedule the switch');
    }
}
