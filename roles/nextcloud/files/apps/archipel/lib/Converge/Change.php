<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** What an association may ask its operator for, and how it is said. */
final class Change
{
    public const STORAGE = 'storage';
    public const ACCOUNTS = 'accounts';
    public const DOMAIN = 'domain';
    public const SUSPEND = 'suspend';
    public const CLOSE = 'close';
    public const KINDS = [self::STORAGE, self::ACCOUNTS, self::DOMAIN, self::SUSPEND, self::CLOSE];
    /** Of the request that was made last. */
    public const LAST = 'change_asked';
    public const LONGEST = 2000;
    /** Why something is no request: a word for addresses => a sentence, in English. */
    public const REFUSALS = [
        'kind' => 'Choose what you ask for.',
        'text' => 'Write what you have to say in at most 2000 characters.',
        'number' => 'Write how many you need, as a whole number.',
        'domain' => 'Write the domain alone, such as cloud.example.org.',
        'confirm' => 'Confirm that you mean it. Nothing was asked for.',
        'way' => 'An earlier request is still on its way. Try again later.',
    ];
    private const MOST = ['storage' => 1048576, 'accounts' => 100000];
    private const HOST = '/\A([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]\z/';

    private function __construct(
        public readonly string $kind,
        public readonly string|int|null $value,
        public readonly string $text,
    ) {
    }

    /**
     * A request of what somebody typed, or why it is none: a key of REFUSALS.
     *
     * Who decides on it looks again: here people are told at once.
     *
     * @param string $confirmed for an end of the space: its kind once more
     */
    public static function of(string $kind, string $value, string $text, string $confirmed): self|string
    {
        $value = mb_strtolower(trim($value));
        $text = trim(str_replace("\r\n", "\n", $text));
        return match (true) {
            !in_array($kind, self::KINDS, true) => 'kind',
            !mb_check_encoding($value . $text, 'UTF-8') || mb_strlen($text) > self::LONGEST => 'text',
            isset(self::MOST[$kind]) => self::number($kind, $value, $text),
            $kind === self::DOMAIN => self::host($value, $text),
            $confirmed !== $kind => 'confirm',
            default => new self($kind, null, $text),
        };
    }

    private static function number(string $kind, string $value, string $text): self|string
    {
        $valid = preg_match('/\A[1-9][0-9]{0,6}\z/', $value) === 1 && (int)$value <= self::MOST[$kind];
        return $valid ? new self($kind, (int)$value, $text) : 'number';
    }

    private static function host(string $value, string $text): self|string
    {
        $valid = strlen($value) <= 253 && preg_match(self::HOST, $value) === 1;
        return $valid ? new self(self::DOMAIN, $value, $text) : 'domain';
    }

    /** What the node is left. */
    public function json(string $account): string
    {
        $said = ['account' => $account, 'what' => $this->kind, 'text' => $this->text];
        if ($this->value !== null) {
            $said['value'] = $this->value;
        }
        return json_encode($said, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
    }

    /**
     * What the page remembers of it.
     *
     * @return array{what: string, value: string|int|null, at: int, by: string}
     */
    public function noted(string $account, int $now): array
    {
        return ['what' => $this->kind, 'value' => $this->value, 'at' => $now, 'by' => $account];
    }

    /**
     * The request that was made last, as it was noted; null: none.
     *
     * @return array{what: string, value: string|int|null, at: int, by: string}|null
     */
    public static function last(Space $space): ?array
    {
        $noted = json_decode($space->setting('archipel', self::LAST) ?? '', true);
        if (!is_array($noted) || !in_array($noted['what'] ?? null, self::KINDS, true)) {
            return null;
        }
        $value = $noted['value'] ?? null;
        return [
            'what' => $noted['what'],
            'value' => is_int($value) || is_string($value) ? $value : null,
            'at' => (int)($noted['at'] ?? 0),
            'by' => (string)($noted['by'] ?? ''),
        ];
    }
}
