<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/**
 * The office suites of a space, and which of them it uses.
 *
 * All connectors are installed and exactly one is enabled: two at a time take each
 * other's files away.
 */
final class Office implements \JsonSerializable
{
    /** Where the operator's part is kept, and the choice of the space's own administrators. */
    public const POLICY = 'office_policy';
    public const CHOICE = 'office';

    /** @param array<string, array{name: string, application: string}> $suites those this release holds */
    public function __construct(
        public readonly array $suites,
        public readonly string $default,
        public readonly bool $pinned,
    ) {
    }

    /** What an earlier run was told; no suites at all before the first. */
    public static function of(Space $space): self
    {
        $policy = json_decode($space->setting('archipel', self::POLICY) ?? '{}', true) ?: [];
        return new self($policy['suites'] ?? [], $policy['default'] ?? '', $policy['pinned'] ?? true);
    }

    /** The suite that this space is to use, or null where the release holds none that may be. */
    public function chosen(Space $space): ?string
    {
        $wanted = $this->pinned ? $this->default : ($space->setting('archipel', self::CHOICE) ?? $this->default);
        foreach ([$wanted, $this->default] as $suite) {
            if (isset($this->suites[$suite])) {
                return $suite;
            }
        }
        return null;
    }

    /** The suite whose connector is on, or null. */
    public function enabled(Space $space): ?string
    {
        foreach ($this->suites as $suite => $details) {
            if ($space->isEnabled($details['application'])) {
                return $suite;
            }
        }
        return null;
    }

    /** @return array{disable: list<string>, enable: list<string>} connectors to turn off first, and on then */
    public function plan(Space $space): array
    {
        $chosen = $this->chosen($space);
        $plan = ['disable' => [], 'enable' => []];
        foreach ($this->suites as $suite => ['application' => $application]) {
            $enabled = $space->isEnabled($application);
            if ($suite !== $chosen && $enabled) {
                $plan['disable'][] = $application;
            } elseif ($suite === $chosen && !$enabled) {
                $plan['enable'][] = $application;
            }
        }
        return $plan;
    }

    /** @return array<string, mixed> */
    public function jsonSerialize(): array
    {
        return ['suites' => (object)$this->suites, 'default' => $this->default, 'pinned' => $this->pinned];
    }
}
