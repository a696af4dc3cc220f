<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Nextcloud;

use OCA\Archipel\Converge\Administrator;
use OCP\IGroup;
use OCP\IUser;
use OCP\Security\ISecureRandom;

/** A part of NextcloudSpace: accounts, groups, and who administers them. */
trait People
{
    public function hasGroup(string $group): bool
    {
        return $this->groups->groupExists($group);
    }

    public function addGroup(string $group): void
    {
        if ($this->groups->createGroup($group) === null) {
            throw new \RuntimeException('Nextcloud refused to create the group');
        }
    }

    public function hasAccount(string $uid): bool
    {
        return $this->users->userExists($uid);
    }

    public function addAccount(Administrator $admin): void
    {
        $password = $this->random->generate(64, ISecureRandom::CHAR_ALPHANUMERIC . ISecureRandom::CHAR_SYMBOLS);
        $user = $this->users->createUser($admin->uid, $password);
        if (!$user instanceof IUser) {
            throw new \RuntimeException('Nextcloud refused to create the account');
        }
        $user->setSystemEMailAddress($admin->email);
        if ($admin->accountName() !== '') {
            $user->setDisplayName($admin->accountName());
        }
        foreach (['lang' => $admin->language, 'locale' => $admin->locale] as $key => $value) {
            if ($value !== '') {
                $this->config->setUserValue($admin->uid, 'core', $key, $value);
            }
        }
    }

    public function removeAccount(string $uid): void
    {
        if (!$this->user($uid)->delete()) {
            throw new \RuntimeException('Nextcloud refused to remove the account');
        }
    }

    public function isMember(string $uid, string $group): bool
    {
        return $this->groups->isInGroup($uid, $group);
    }

    public function addMember(string $uid, string $group): void
    {
        $this->group($group)->addUser($this->user($uid));
    }

    public function isSubadmin(string $uid, string $group): bool
    {
        $user = $this->users->get($uid);
        $of = $this->groups->get($group);
        return $user !== null && $of !== null && $this->subadmins->isSubAdminOfGroup($user, $of);
    }

    public function addSubadmin(string $uid, string $group): void
    {
        $this->subadmins->createSubAdmin($this->user($uid), $this->group($group));
    }

    public function lastLogin(string $uid): int
    {
        return max(0, $this->user($uid)->getLastLogin());
    }

    public function mayLogIn(string $uid): bool
    {
        return $this->user($uid)->isEnabled();
    }

    public function mailAddress(string $uid): string
    {
        return (string)$this->user($uid)->getEMailAddress();
    }

    public function rename(Administrator $admin): void
    {
        $user = $this->user($admin->uid);
        $user->setSystemEMailAddress($admin->email);
        $name = $admin->accountName();
        if ($name !== '' && $name !== $user->getDisplayName()) {
            $user->setDisplayName($name);
        }
    }

    public function accounts(): array
    {
        $disabled = count($this->config->getUsersForUserValue('core', 'enabled', 'false'));
        $limit = $this->config->getSystemValueBool('one-click-instance', false)
            ? $this->config->getSystemValueInt('one-click-instance.user-limit', 50)
            : null;
        return ['used' => array_sum($this->users->countUsers()) - $disabled, 'limit' => $limit];
    }

    public function subadmins(): array
    {
        $uids = [];
        foreach ($this->groups->search('') as $group) {
            foreach ($this->subadmins->getGroupsSubAdmins($group) as $user) {
                $uids[$user->getUID()] = true;
            }
        }
        $uids = array_map('strval', array_keys($uids));
        sort($uids);
        return $uids;
    }

    private function user(string $uid): IUser
    {
        return $this->users->get($uid) ?? throw new \RuntimeException("account $uid does not exist");
    }

    private function group(string $group): IGroup
    {
        return $this->groups->get($group) ?? throw new \RuntimeException("group $group does not exist");
    }
}
