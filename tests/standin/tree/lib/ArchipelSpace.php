<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

use OCA\Archipel\Converge\Administrator;
use OCA\Archipel\Converge\Invitation;
use OCA\Archipel\Converge\Office;
use OCA\Archipel\Converge\Space;

/** What the archipel application needs of a Nextcloud, on the stand-in's tables. */
final class ArchipelSpace implements Space
{
    public function __construct(private Server $server)
    {
    }

    public function version(): string
    {
        return $this->server->version;
    }

    public function isEnabled(string $app): bool
    {
        return isset($this->server->apps->enabled()[$app]);
    }

    public function obstacle(string $app): ?string
    {
        return isset($this->server->apps->available()[$app]) ? null : 'it is not part of this release';
    }

    public function mayBeDisabled(string $app): bool
    {
        return !in_array($app, $this->server->apps->alwaysEnabled(), true);
    }

    public function enable(string $app): void
    {
        $this->server->apps->enable($app);
    }

    public function disable(string $app): void
    {
        $this->server->apps->disable($app);
    }

    public function applications(): array
    {
        return $this->server->apps->enabled();
    }

    public function setting(string $app, string $key): ?string
    {
        return $this->server->settings->get($app, $key);
    }

    public function saveSetting(string $app, string $key, string|int|float|bool|array|null $value): void
    {
        $settings = $this->server->settings;
        if ($value === null) {
            $settings->set($app, $key, null);
            return;
        }
        $settings->retype($app, $key, Settings::MIXED);
        $settings->setMixed($app, $key, Settings::stored($value));
    }

    public function isTyped(string $app, string $key): bool
    {
        return !in_array($this->server->settings->type($app, $key), [0, Settings::MIXED], true);
    }

    /** None here: a key has no declared type, and can always be read as the one it is stored under. */
    public function unreadable(): array
    {
        return [];
    }

    public function readableAs(string $app, string $key): array
    {
        return $this->server->settings->readers($app, $key);
    }

    public function logo(): ?string
    {
        return is_file($this->logoFile()) ? (string)hash_file('sha256', $this->logoFile()) : null;
    }

    public function saveLogo(string $file): void
    {
        copy($file, $this->logoFile());
    }

    public function removeLogo(): void
    {
        @unlink($this->logoFile());
    }

    private function logoFile(): string
    {
        return rtrim($this->server->config->text('datadirectory'), '/') . '/logo';
    }

    public function hasGroup(string $group): bool
    {
        return $this->server->accounts->hasGroup($group);
    }

    public function addGroup(string $group): void
    {
        $this->server->accounts->addGroup($group);
    }

    public function hasAccount(string $uid): bool
    {
        return $this->server->accounts->exists($uid);
    }

    public function addAccount(Administrator $admin): void
    {
        $this->server->accounts->add($admin->uid, Accounts::random(64));
        $this->server->accounts->setDisplayName($admin->uid, $admin->accountName());
        $this->server->settings->setOfUser($admin->uid, 'settings', 'email', $admin->email);
        $this->server->settings->setOfUser($admin->uid, 'core', 'lang', $admin->language ?: null);
        $this->server->settings->setOfUser($admin->uid, 'core', 'locale', $admin->locale ?: null);
    }

    public function removeAccount(string $uid): void
    {
        $this->server->accounts->remove($uid);
    }

    public function isMember(string $uid, string $group): bool
    {
        return in_array($group, $this->server->accounts->groupsOf($uid), true);
    }

    public function addMember(string $uid, string $group): void
    {
        $this->server->accounts->addMember($uid, $group);
    }

    public function isSubadmin(string $uid, string $group): bool
    {
        return $this->server->database->value('SELECT uid FROM *PREFIX*group_admin WHERE gid = ? AND uid = ?', [$group, $uid]) !== null;
    }

    public function addSubadmin(string $uid, string $group): void
    {
        $this->server->database->run('INSERT INTO *PREFIX*group_admin (gid, uid) VALUES (?, ?)', [$group, $uid]);
    }

    public function isDelegable(string $class): bool
    {
        return in_array($class, ['OCA\Theming\Settings\Admin', 'OCA\Settings\Settings\Admin\Sharing'], true);
    }

    public function delegates(string $class): array
    {
        return $this->server->database->column('SELECT group_id FROM *PREFIX*authorized_groups WHERE class = ?', [$class]);
    }

    public function delegate(string $class, string $group): void
    {
        $this->server->database->run('INSERT INTO *PREFIX*authorized_groups (group_id, class) VALUES (?, ?)', [$group, $class]);
    }

    public function revoke(string $class, string $group): void
    {
        $this->server->database->run('DELETE FROM *PREFIX*authorized_groups WHERE group_id = ? AND class = ?', [$group, $class]);
    }

    public function invitedAt(string $uid): int
    {
        return (int)$this->server->settings->ofUser($uid, 'archipel', 'invited_at');
    }

    public function markInvited(string $uid): void
    {
        $this->server->settings->setOfUser($uid, 'archipel', 'invited_at', (string)time());
    }

    public function passwordLink(string $uid): string
    {
        return $this->server->url('/lostpassword/reset/form/' . $this->server->accounts->resetToken($uid) . '/' . rawurlencode($uid));
    }

    public function presentLink(string $uid): string
    {
        return (string)$this->server->settings->ofUser($uid, 'core', 'lostpassword');
    }

    public function restoreLink(string $uid, string $present): void
    {
        $this->server->settings->setOfUser($uid, 'core', 'lostpassword', $present);
    }

    public function linkSeconds(): int
    {
        return Accounts::RESET_LIFETIME;
    }

    public function lastLogin(string $uid): int
    {
        return $this->server->accounts->lastLogin($uid);
    }

    public function mayLogIn(string $uid): bool
    {
        return $this->server->accounts->isEnabled($uid);
    }

    public function mailAddress(string $uid): string
    {
        return $this->server->accounts->mailAddress($uid);
    }

    public function rename(Administrator $admin): void
    {
        $this->server->settings->setOfUser($admin->uid, 'settings', 'email', $admin->email);
        if ($admin->accountName() !== '') {
            $this->server->accounts->setDisplayName($admin->uid, $admin->accountName());
        }
    }

    public function url(): string
    {
        return $this->server->baseUrl();
    }

    public function timezone(): string
    {
        return $this->server->config->text('default_timezone', 'UTC');
    }

    public function name(): string
    {
        return $this->server->name();
    }

    public function translate(string $language, string $text, array $parameters): string
    {
        $language = $language ?: $this->server->config->text('default_language', 'en');
        $file = ($this->server->apps->available()['archipel'] ?? '') . "/l10n/$language.json";
        $texts = is_file($file) ? json_decode((string)file_get_contents($file), true)['translations'] : [];
        return vsprintf($texts[$text] ?? $text, $parameters);
    }

    public function mail(Invitation $invitation): void
    {
        $config = $this->server->config;
        $message = new Message(
            [$invitation->to, $invitation->name],
            [$config->text('mail_from_address', 'no-reply') . '@' . $config->text('mail_domain', 'localhost'), $invitation->fromName],
            [$invitation->replyTo, $invitation->fromName],
            $invitation->subject,
            $invitation->body,
            $invitation->html,
        );
        try {
            (new Mailer($config))->send($message);
        } catch (\RuntimeException $error) {
            throw new \RuntimeException("not accepted for {$invitation->to}: " . $error->getMessage());
        }
    }

    public function accounts(): array
    {
        $limit = $this->server->config->flag('one-click-instance') ? $this->server->accounts->limit() : null;
        return ['used' => $this->server->accounts->active(), 'limit' => $limit];
    }

    public function subadmins(): array
    {
        return $this->server->database->column('SELECT DISTINCT uid FROM *PREFIX*group_admin ORDER BY uid');
    }

    public function openDocuments(array $how): ?int
    {
        try {
            if (isset($how['query'])) {
                return (int)$this->server->database->value(str_replace('{now}', (string)time(), $how['query']));
            }
            $context = stream_context_create(['http' => ['timeout' => 5]]);
            return Office::number((string)@file_get_contents($how['url'], false, $context), $how['key']);
        } catch (\Throwable) {
            return null;
        }
    }

    /** The stand-in's own jobs look at the choice each time. */
    public function scheduleSwitch(): void
    {
    }

    public function lastCron(): int
    {
        return (int)$this->setting('core', 'lastcron');
    }

    public function disk(): array
    {
        $data = $this->server->config->text('datadirectory');
        return ['size' => (int)disk_total_space($data), 'free' => (int)disk_free_space($data)];
    }

    public function indexed(): int
    {
        $used = 0;
        foreach (array_keys($this->server->accounts->all()) as $uid) {
            $used += (new Files($this->server, (string)$uid))->used();
        }
        return $used;
    }
}
