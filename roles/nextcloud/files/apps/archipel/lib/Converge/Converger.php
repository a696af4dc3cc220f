<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/**
 * Compares a space with its desired state and does what is missing.
 *
 * Every step is decided from what the space says, so that a second run finds
 * nothing to do, and a run that broke off is continued by the next one.
 */
final class Converger
{
    private readonly Steps $steps;
    /** @var list<string> */
    private array $skipped = [];
    private ?Invitation $invitation = null;

    public function __construct(
        private readonly Space $space,
        private readonly bool $dryRun,
    ) {
        $this->steps = new Steps($dryRun);
    }

    /**
     * @return array{changed: bool, dry_run: bool, changes: list<string>, skipped: list<string>,
     *               errors: list<string>, invitation: Invitation|null}
     * @throws InvalidState before anything was changed
     */
    public function converge(DesiredState $desired): array
    {
        $this->refuseTheImpossible($desired);
        $this->applications($desired);
        $this->settings($desired);
        $this->defaults($desired);
        if ($desired->logo?->isNews($this->space)) {
            $what = $desired->logo->digest === '' ? 'take back the logo' : 'give the logo';
            $this->steps->do($what, fn () => $desired->logo->give($this->space));
        }
        $this->office($desired);
        $this->groups($desired);
        if ($desired->admin !== null) {
            $this->administrator($desired->admin);
        }
        $this->delegations($desired);
        $this->removals($desired);
        if ($desired->admin !== null) {
            $this->invite($desired->admin, $desired);
        }
        return [
            'changed' => $this->steps->changes() !== [],
            'dry_run' => $this->dryRun,
            'changes' => $this->steps->changes(),
            'skipped' => $this->skipped,
            'errors' => $this->steps->errors(),
            'invitation' => $this->invitation,
        ];
    }

    /** What this Nextcloud cannot do is found before it is touched. */
    private function refuseTheImpossible(DesiredState $desired): void
    {
        $problems = [];
        $connectors = array_column($desired->office?->suites ?? [], 'application');
        foreach ([...$desired->enable, ...$connectors] as $app) {
            $obstacle = $this->space->isEnabled($app) ? null : $this->space->obstacle($app);
            if ($obstacle !== null) {
                $problems[] = "apps.enable: $app cannot be enabled: $obstacle";
            }
        }
        foreach ($desired->disable as $app) {
            if ($this->space->isEnabled($app) && !$this->space->mayBeDisabled($app)) {
                $problems[] = "apps.disable: $app is part of Nextcloud and cannot be disabled";
            }
        }
        if ($problems !== []) {
            throw new InvalidState($problems);
        }
    }

    private function applications(DesiredState $desired): void
    {
        // Off first: two office suites must never be on at the same time.
        foreach ($desired->disable as $app) {
            if ($this->space->isEnabled($app)) {
                $this->steps->do("disable application $app", fn () => $this->space->disable($app));
            }
        }
        foreach ($desired->enable as $app) {
            if (!$this->space->isEnabled($app)) {
                $this->steps->do("enable application $app", fn () => $this->space->enable($app));
            }
        }
    }

    private function settings(DesiredState $desired): void
    {
        foreach ($desired->appConfig as $app => $settings) {
            foreach ($settings as $key => $value) {
                if ($this->space->setting($app, $key) !== self::stored($value) || $this->space->isTyped($app, $key)) {
                    // The value may be a secret: only its name is reported.
                    $what = $value === null ? 'remove' : 'set';
                    $this->steps->do("$what $app/$key", fn () => $this->space->saveSetting($app, $key, $value));
                }
            }
        }
    }

    /** The registry's word is given once; what people changed since then is theirs. */
    private function defaults(DesiredState $desired): void
    {
        $defaults = new Defaults($this->space);
        foreach ($defaults->due($desired->appDefaults) as [$app, $key, $value]) {
            $what = $value === null ? 'take back' : 'give';
            $this->steps->do("$what $app/$key", fn () => $this->space->saveSetting($app, $key, $value));
        }
        if (!$this->dryRun && $desired->appDefaults !== [] && $this->steps->errors() === []) {
            $defaults->remember($desired->appDefaults);
        }
    }

    private function office(DesiredState $desired): void
    {
        $office = $desired->office;
        if ($office === null) {
            return;
        }
        $policy = json_decode(json_encode($office, JSON_THROW_ON_ERROR), true, 32, JSON_THROW_ON_ERROR);
        if ($this->space->setting('archipel', Office::POLICY) !== self::stored($policy)) {
            $this->steps->do('set the office suites', fn () => $this->space->saveSetting('archipel', Office::POLICY, $policy));
        }
        if ($office->chosen($this->space) === null) {
            $this->skipped[] = "office: this release holds no connector of the suite {$office->default}";
        }
        if ($office->mustWait($this->space)) {
            $this->postpone($office);
            return;
        }
        $plan = $office->plan($this->space);
        foreach ($plan['disable'] as $app) {
            $this->steps->do("disable application $app", fn () => $this->space->disable($app));
        }
        foreach ($plan['enable'] as $app) {
            $this->steps->do("enable application $app", fn () => $this->space->enable($app));
        }
        if (!$this->dryRun && $this->space->setting('archipel', Office::SINCE) !== null) {
            $this->space->saveSetting('archipel', Office::SINCE, null);
        }
    }

    /** People are writing in the suite that is to go: the space's own jobs change it when they have closed. */
    private function postpone(Office $office): void
    {
        $open = $office->open($this->space);
        $many = $open === null ? 'its server does not tell whether documents are open' : "$open documents are open";
        $this->skipped[] = "office: {$office->enabled($this->space)} stays for now, $many";
        if (!$this->dryRun) {
            if ($this->space->setting('archipel', Office::SINCE) === null) {
                $this->space->saveSetting('archipel', Office::SINCE, time());
            }
            $this->space->scheduleSwitch();
        }
    }

    private function groups(DesiredState $desired): void
    {
        foreach ($desired->groups as $group) {
            if (!$this->space->hasGroup($group)) {
                $this->steps->do("create group $group", fn () => $this->space->addGroup($group));
            }
        }
    }

    /**
     * Name, mail address and language are given at creation; afterwards they
     * belong to the person and are left alone.
     */
    private function administrator(Administrator $admin): void
    {
        if (Former::stays($this->space, $admin->uid)) {
            $this->skipped[] = "admin: {$admin->uid} no longer administers this space, its people have decided so";
            return;
        }
        if (!$this->space->hasAccount($admin->uid)) {
            $this->steps->do("create account {$admin->uid}", fn () => $this->space->addAccount($admin));
        }
        foreach ($admin->subadminOf as $group) {
            if (!$this->space->isSubadmin($admin->uid, $group)) {
                $this->steps->do(
                    "let {$admin->uid} administer $group",
                    fn () => $this->space->addSubadmin($admin->uid, $group),
                );
            }
        }
        // Joining the administrators would do the above by itself, unreported.
        foreach ($admin->groups as $group) {
            if (!$this->space->isMember($admin->uid, $group)) {
                $this->steps->do("add {$admin->uid} to $group", fn () => $this->space->addMember($admin->uid, $group));
            }
        }
    }

    private function delegations(DesiredState $desired): void
    {
        foreach ($desired->delegations as $class => $groups) {
            if (!$this->space->isDelegable($class)) {
                $this->skipped[] = "delegations: $class cannot be delegated in this release";
                continue;
            }
            $current = $this->space->delegates($class);
            foreach (array_diff($groups, $current) as $group) {
                $this->steps->do("delegate $class to $group", fn () => $this->space->delegate($class, $group));
            }
            foreach (array_diff($current, $groups) as $group) {
                $this->steps->do("revoke $class from $group", fn () => $this->space->revoke($class, $group));
            }
        }
    }

    private function removals(DesiredState $desired): void
    {
        foreach ($desired->removeUsers as $uid) {
            if ($this->space->hasAccount($uid)) {
                $this->steps->do("remove account $uid", fn () => $this->space->removeAccount($uid));
            }
        }
    }

    private function invite(Administrator $admin, DesiredState $desired): void
    {
        $due = match ($desired->invite) {
            DesiredState::INVITE_AGAIN => true,
            DesiredState::INVITE_ONCE => $this->space->invitedAt($admin->uid) === 0,
            default => false,
        };
        // Nobody is invited into a space that did not come up whole, nor who is no longer to administer it.
        if (!$due || $this->steps->errors() !== [] || Former::stays($this->space, $admin->uid)) {
            return;
        }
        $this->steps->do("invite {$admin->uid}", function () use ($admin, $desired): void {
            $invitation = Invitation::to($admin, $this->space);
            if ($desired->inviteByMail) {
                $this->space->mail($invitation);
            } else {
                $this->invitation = $invitation;
            }
            $this->space->markInvited($admin->uid);
        });
    }

    /** How Nextcloud writes a value of each type into its database. */
    public static function stored(string|int|float|bool|array|null $value): ?string
    {
        return match (true) {
            $value === null => null,
            is_bool($value) => $value ? '1' : '0',
            is_array($value) => json_encode($value, JSON_THROW_ON_ERROR),
            default => (string)$value,
        };
    }
}
