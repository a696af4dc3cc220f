<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

use OCA\Archipel\Converge\AccountLimit;

/** user:* and group:*. */
final class AccountCommands extends Command
{
    public function all(): int
    {
        return $this->show($this->server->accounts->all());
    }

    public function add(): int
    {
        $uid = $this->input->argument('uid');
        $accounts = $this->server->accounts;
        if ($accounts->exists($uid)) {
            return $this->say("The account \"$uid\" already exists.", 1);
        }
        $password = $this->input->has('generate-password') ? Accounts::random(20) : $this->passwordFromEnvironment();
        if ($password === null) {
            return 1;
        }
        try {
            $accounts->add($uid, $password);
        } catch (HintException $refusal) {
            return $this->say($refusal->getMessage(), 1);
        }
        $this->say("The account \"$uid\" was created successfully");
        if ($this->input->text('display-name') !== '') {
            $accounts->setDisplayName($uid, $this->input->text('display-name'));
        }
        if ($this->input->text('email') !== '') {
            $this->server->settings->setOfUser($uid, 'settings', 'email', $this->input->text('email'));
        }
        foreach ($this->input->list('group') as $group) {
            $accounts->addGroup($group);
            $accounts->addMember($uid, $group);
            $this->say("Account \"$uid\" added to group \"$group\"");
        }
        return 0;
    }

    public function delete(): int
    {
        $this->server->accounts->remove($this->uid());
        return $this->say('The specified account was deleted');
    }

    public function enable(): int
    {
        $uid = $this->uid();
        $wasEnabled = $this->server->accounts->isEnabled($uid);
        $this->server->accounts->setEnabled($uid, true);
        $space = new ArchipelSpace($this->server);
        if (!$wasEnabled && isset($this->server->apps->enabled()['archipel']) && AccountLimit::exceeded($space)) {
            $this->server->accounts->setEnabled($uid, false);
            throw new HintException(AccountLimit::refusal($space));
        }
        return $this->say('The specified account is enabled');
    }

    public function disable(): int
    {
        $this->server->accounts->setEnabled($this->uid(), false);
        return $this->say('The specified account is disabled');
    }

    public function info(): int
    {
        $uid = $this->uid();
        return $this->show([
            'user_id' => $uid,
            'display_name' => $this->server->accounts->all()[$uid],
            'email' => $this->server->settings->ofUser($uid, 'settings', 'email') ?? '',
            'enabled' => $this->server->accounts->isEnabled($uid),
            'groups' => $this->server->accounts->groupsOf($uid),
            'quota' => $this->server->settings->ofUser($uid, 'files', 'quota') ?? 'none',
            'user_directory' => $this->server->accounts->home($uid),
            'backend' => 'Database',
        ]);
    }

    public function setting(): int
    {
        $uid = $this->uid();
        [$app, $key] = [$this->input->argument('app'), $this->input->argument('key')];
        $value = $this->server->settings->ofUser($uid, $app, $key);
        if ($this->input->has('delete')) {
            $this->server->settings->setOfUser($uid, $app, $key, null);
            return 0;
        }
        if ($this->input->argument('value', "\0") !== "\0") {
            $this->server->settings->setOfUser($uid, $app, $key, $this->input->argument('value'));
            return 0;
        }
        if ($value === null && !$this->input->has('default-value')) {
            return $this->say('The setting does not exist for user "' . $uid . '".', 1);
        }
        return $this->show($value ?? $this->input->text('default-value'));
    }

    public function resetPassword(): int
    {
        $uid = $this->uid();
        $password = $this->passwordFromEnvironment();
        if ($password === null) {
            return 1;
        }
        $this->server->accounts->setPassword($uid, $password);
        return $this->say("Successfully reset password for $uid");
    }

    public function appPassword(): int
    {
        return $this->say("app password:\n" . $this->server->accounts->addAppPassword($this->uid(), 'cli'));
    }

    public function groups(): int
    {
        return $this->show($this->server->accounts->groups());
    }

    public function addGroup(): int
    {
        $group = $this->input->argument('groupid');
        if ($this->server->accounts->hasGroup($group)) {
            return $this->say("Group \"$group\" already exists.", 1);
        }
        $this->server->accounts->addGroup($group);
        return $this->say("Created group \"$group\"");
    }

    public function deleteGroup(): int
    {
        if (!$this->server->accounts->hasGroup($this->input->argument('groupid'))) {
            return $this->say("Group \"{$this->input->argument('groupid')}\" does not exist.", 1);
        }
        $this->server->accounts->removeGroup($this->input->argument('groupid'));
        return $this->say("Group \"{$this->input->argument('groupid')}\" was removed");
    }

    public function addMember(): int
    {
        if (!$this->server->accounts->hasGroup($this->input->argument('group'))) {
            return $this->say('group not found', 1);
        }
        $uid = $this->server->accounts->canonical($this->input->argument('user'));
        if ($uid === null) {
            return $this->say('user not found', 1);
        }
        $this->server->accounts->addMember($uid, $this->input->argument('group'));
        return 0;
    }

    private function uid(): string
    {
        return $this->server->accounts->canonical($this->input->argument('uid')) ?? throw new CommandFailed('User does not exist');
    }

    private function passwordFromEnvironment(): ?string
    {
        $password = (string)(getenv('NC_PASS') ?: getenv('OC_PASS'));
        if ($this->input->has('password-from-env') && $password !== '') {
            return $password;
        }
        $this->say($this->input->has('password-from-env')
            ? '--password-from-env given, but NC_PASS/OC_PASS is empty!'
            : 'Interactive input or --password-from-env or --generate-password is needed for setting a password!');
        return null;
    }
}
