<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** What an operator wants of one space, read from JSON and checked as a whole. */
final class DesiredState
{
    public const INVITE_NEVER = 'never';
    public const INVITE_ONCE = 'once';
    public const INVITE_AGAIN = 'again';

    /**
     * @param list<string> $enable
     * @param list<string> $disable
     * @param array<string, array<string, string|int|float|bool|array|null>> $appConfig null removes a key
     * @param array<string, array<string, string|int|float|bool|array|null>> $appDefaults given when new; null: nothing
     * @param list<string> $groups
     * @param array<string, list<string>> $delegations settings class => groups
     * @param list<string> $removeUsers
     */
    public function __construct(
        public readonly array $enable,
        public readonly array $disable,
        public readonly array $appConfig,
        public readonly array $appDefaults,
        public readonly ?Logo $logo,
        public readonly ?Office $office,
        public readonly array $groups,
        public readonly ?Administrator $admin,
        public readonly array $delegations,
        public readonly array $removeUsers,
        public readonly string $invite,
        public readonly bool $inviteByMail,
    ) {
    }

    /** @throws InvalidState naming every problem at once */
    public static function fromJson(string $json): self
    {
        try {
            // Objects stay objects, so that {} and [] are told apart.
            $document = json_decode($json, false, 32, JSON_THROW_ON_ERROR);
        } catch (\JsonException $error) {
            throw new InvalidState(['desired state: not JSON: ' . $error->getMessage()]);
        }
        $read = new Reader();
        $root = $read->object($document, 'desired state', [
            'apps', 'app_config', 'app_defaults', 'logo', 'office', 'groups', 'admin', 'delegations', 'remove_users',
            'invite', 'invite_by_mail',
        ]);
        $apps = $read->object($root['apps'] ?? new \stdClass(), 'apps', ['enable', 'disable']);
        $state = new self(
            $read->names($apps['enable'] ?? [], 'apps.enable', Reader::APPLICATION),
            $read->names($apps['disable'] ?? [], 'apps.disable', Reader::APPLICATION),
            $read->appConfig($root['app_config'] ?? new \stdClass(), 'app_config'),
            $read->appConfig($root['app_defaults'] ?? new \stdClass(), 'app_defaults'),
            array_key_exists('logo', $root) ? $read->logo($root['logo']) : null,
            isset($root['office']) ? $read->office($root['office']) : null,
            $read->names($root['groups'] ?? [], 'groups', Reader::GROUP),
            isset($root['admin']) ? $read->administrator($root['admin']) : null,
            $read->delegations($root['delegations'] ?? new \stdClass()),
            $read->names($root['remove_users'] ?? [], 'remove_users', Reader::ACCOUNT),
            $read->invite($root['invite'] ?? false),
            $read->flag($root['invite_by_mail'] ?? false, 'invite_by_mail'),
        );
        $problems = [...$read->problems(), ...$state->contradictions()];
        if ($problems !== []) {
            throw new InvalidState($problems);
        }
        return $state;
    }

    /** @return list<string> */
    private function contradictions(): array
    {
        $problems = [];
        foreach (array_intersect($this->enable, $this->disable) as $app) {
            $problems[] = "apps: $app is both enabled and disabled; keep one";
        }
        foreach ($this->appDefaults as $app => $settings) {
            foreach (array_keys(array_intersect_key($settings, $this->appConfig[$app] ?? [])) as $key) {
                $problems[] = "app_defaults.$app.$key: app_config imposes it already; keep one";
            }
        }
        foreach ($this->office?->suites ?? [] as $suite => ['application' => $app]) {
            if (in_array($app, [...$this->enable, ...$this->disable], true)) {
                $problems[] = "office.suites.$suite: $app is in apps too; the choice of the suite decides about it";
            }
        }
        foreach ($this->delegations as $class => $groups) {
            foreach (array_diff($groups, $this->groups) as $group) {
                $problems[] = "delegations.$class: group $group is not in groups; add it there";
            }
        }
        if ($this->admin === null) {
            if ($this->invite !== self::INVITE_NEVER) {
                $problems[] = 'invite: there is no admin to invite; add admin or set invite to false';
            }
            return $problems;
        }
        foreach (array_diff([...$this->admin->groups, ...$this->admin->subadminOf], $this->groups) as $group) {
            $problems[] = "admin: group $group is not in groups; add it there";
        }
        if (in_array($this->admin->uid, $this->removeUsers, true)) {
            $problems[] = "remove_users: {$this->admin->uid} is the administrator; keep one";
        }
        return array_values(array_unique($problems));
    }
}
