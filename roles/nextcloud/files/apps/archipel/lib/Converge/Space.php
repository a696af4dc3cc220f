<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/**
 * The few things that converging needs of a Nextcloud.
 *
 * This folder knows Nextcloud through this interface alone, so that what is decided is
 * tested without a server, and releases may differ in the one class behind it.
 */
interface Space
{
    public function version(): string;

    public function isEnabled(string $app): bool;

    /** Why an application cannot be enabled here, or null when it can. */
    public function obstacle(string $app): ?string;

    public function mayBeDisabled(string $app): bool;

    public function enable(string $app): void;

    public function disable(string $app): void;

    /** @return array<string, string> enabled application => version */
    public function applications(): array;

    /** The stored value as Nextcloud keeps it (a string), or null when the key is not set. */
    public function setting(string $app, string $key): ?string;

    /** Whether a value is stored under one type, so that who reads the key as another is refused. */
    public function isTyped(string $app, string $key): bool;

    /** Stores a value so that it can be read as any type; null removes the key. */
    public function saveSetting(string $app, string $key, string|int|float|bool|array|null $value): void;

    /** @return list<string> "application/key" of all settings of enabled applications that no typed reader gets */
    public function unreadable(): array;

    /** @return list<string> of string, int, float, bool, array: as what a setting that is there can be read */
    public function readableAs(string $app, string $key): array;

    /** SHA-256 of the picture that is the logo now, or null where people see Nextcloud's. */
    public function logo(): ?string;

    public function saveLogo(string $file): void;

    public function removeLogo(): void;

    public function hasGroup(string $group): bool;

    public function addGroup(string $group): void;

    public function hasAccount(string $uid): bool;

    /** Creates the account with a random password that nobody is told. */
    public function addAccount(Administrator $admin): void;

    public function removeAccount(string $uid): void;

    public function isMember(string $uid, string $group): bool;

    public function addMember(string $uid, string $group): void;

    public function isSubadmin(string $uid, string $group): bool;

    public function addSubadmin(string $uid, string $group): void;

    public function isDelegable(string $class): bool;

    /** @return list<string> groups that may use this settings page */
    public function delegates(string $class): array;

    public function delegate(string $class, string $group): void;

    public function revoke(string $class, string $group): void;

    public function invitedAt(string $uid): int;

    public function markInvited(string $uid): void;

    /** An absolute link under which the account's owner chooses a password. It ends any earlier one. */
    public function passwordLink(string $uid): string;

    /** What lets the account's present link work, for restoreLink(); empty: there is none. */
    public function presentLink(string $uid): string;

    /** Lets a link work again that a later one has ended. */
    public function restoreLink(string $uid, string $present): void;

    /** Seconds that such a link works, as this release has it. */
    public function linkSeconds(): int;

    /** When somebody last logged in to an account, a unix time; 0: nobody ever did. */
    public function lastLogin(string $uid): int;

    public function mayLogIn(string $uid): bool;

    /** The address that the account has, empty if it has none. */
    public function mailAddress(string $uid): string;

    /** Gives an account that nobody has used yet the name and the address of its owner. */
    public function rename(Administrator $admin): void;

    /** The space's own name, as people see it. */
    public function name(): string;

    /** Where people find the space. */
    public function url(): string;

    /** The time zone of the people here, as `Europe/Paris`. */
    public function timezone(): string;

    /** @param list<string> $parameters */
    public function translate(string $language, string $text, array $parameters): string;

    public function mail(Invitation $invitation): void;

    /** @return array{used: int, limit: int|null} enabled accounts, and how many are allowed */
    public function accounts(): array;

    /** @return list<string> accounts that administer a group of this space */
    public function subadmins(): array;

    public function lastCron(): int;

    /** @return array{size: int, free: int} bytes of the file system, as seen from the data */
    public function disk(): array;

    /** Bytes of all files in Nextcloud's own index. */
    public function indexed(): int;

    /**
     * How many documents are open: by a query of the space's own tables, or as the office server tells.
     *
     * @param array<string, string> $how `query`, or `url` and `key`
     * @return int|null null: it cannot be told
     */
    public function openDocuments(array $how): ?int;

    /** Lets the space's next job change the office suite. */
    public function scheduleSwitch(): void;
}
