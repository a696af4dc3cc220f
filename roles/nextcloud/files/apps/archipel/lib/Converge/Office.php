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
    /** Since when a change waits for documents that are open. */
    public const SINCE = 'office_since';
    /** Seconds it waits: at most, and where the office server cannot be asked. */
    public const PATIENCE = 86400;
    public const PATIENCE_UNTOLD = 600;

    /**
     * @param array<string, array{name: string, application: string, served?: bool, open?: array<string, string>}> $suites
     *        those this release holds; served: a server of the suite is there for this space
     */
    public function __construct(
        public readonly array $suites,
        public readonly string $default,
        public readonly bool $pinned,
    ) {
    }

    /** What an earlier run applied; no suites at all before the first. */
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

    /** Whether people can edit with a suite here. What an earlier run applied says nothing of servers. */
    public function isServed(string $suite): bool
    {
        return $this->suites[$suite]['served'] ?? true;
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

    /**
     * Documents that are open in the suite a change would turn off, and so cannot be saved any more.
     *
     * @return int|null null: its server does not tell
     */
    public function open(Space $space): ?int
    {
        $off = $this->plan($space)['disable'];
        $total = 0;
        foreach ($this->suites as $details) {
            if (isset($details['open']) && in_array($details['application'], $off, true)) {
                $count = $space->openDocuments($details['open']);
                if ($count === null) {
                    return null;
                }
                $total += $count;
            }
        }
        return $total;
    }

    /** A number in a JSON answer, under a path such as `quota.edit.connectionsCount`. */
    public static function number(string $answer, string $path): ?int
    {
        $found = json_decode($answer, true);
        foreach (explode('.', $path) as $step) {
            $found = is_array($found) ? ($found[$step] ?? null) : null;
        }
        return is_int($found) ? $found : null;
    }

    /** Whether a change must wait. Nobody waits for ever: a lock that is left behind is no document. */
    public function mustWait(Space $space): bool
    {
        if ($this->plan($space)['disable'] === []) {
            return false;
        }
        $open = $this->open($space);
        $since = (int)($space->setting('archipel', self::SINCE) ?? time());
        return $open !== 0 && time() - $since < ($open === null ? self::PATIENCE_UNTOLD : self::PATIENCE);
    }

    /** @return array<string, mixed> */
    public function jsonSerialize(): array
    {
        return ['suites' => (object)$this->suites, 'default' => $this->default, 'pinned' => $this->pinned];
    }
}
