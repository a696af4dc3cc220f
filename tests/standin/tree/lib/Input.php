<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/**
 * Command line arguments, read against a usage line such as
 * "app key [default] --value= --group=* --force": required and optional
 * arguments, a rest list ("app...") and options with or without value.
 */
final class Input
{
    private const COMMON = '--output= --no-interaction --no-warnings --quiet --verbose --ansi --no-ansi';
    private const SHORT = ['n' => 'no-interaction', 'q' => 'quiet', 'v' => 'verbose', 'g' => 'group', 'e' => 'exit-code'];

    /** @var array<string, string|list<string>> */
    private array $arguments = [];
    /** @var array<string, string|bool|list<string>> */
    private array $options = [];

    /** @param list<string> $words */
    public function __construct(string $usage, array $words)
    {
        preg_match_all('/(?<!\S)\[?(\w[\w-]*)(\.\.\.)?\]?(?!\S)/', $usage, $expected, PREG_SET_ORDER);
        preg_match_all('/--([\w-]+)(=\*?)?/', $usage . ' ' . self::COMMON, $known, PREG_SET_ORDER);
        $kinds = array_column(array_map(static fn ($match) => [$match[1], $match[2] ?? ''], $known), 1, 0);
        $plain = [];
        while ($words !== []) {
            $word = array_shift($words);
            if ($word !== '-' && str_starts_with($word, '-') && !is_numeric($word)) {
                $this->option($word, $kinds, $words);
            } else {
                $plain[] = $word;
            }
        }
        $this->bind($expected, $plain);
    }

    public function argument(string $name, string $default = ''): string
    {
        return $this->arguments[$name] ?? $default;
    }

    /** @return list<string> */
    public function rest(string $name): array
    {
        return $this->arguments[$name] ?? [];
    }

    public function has(string $option): bool
    {
        return isset($this->options[$option]);
    }

    public function option(string $word, array $kinds, array &$words): void
    {
        [$name, $value] = explode('=', ltrim($word, '-'), 2) + [1 => null];
        $name = str_starts_with($word, '--') ? $name : (self::SHORT[$name[0]] ?? $name);
        if (!isset($kinds[$name])) {
            throw new HintException("The \"--$name\" option does not exist.");
        }
        if ($kinds[$name] === '') {
            $this->options[$name] = true;
            return;
        }
        $value ??= array_shift($words) ?? throw new HintException("The \"--$name\" option requires a value.");
        if ($kinds[$name] === '=*') {
            $this->options[$name][] = $value;
        } else {
            $this->options[$name] = $value;
        }
    }

    public function text(string $option, string $default = ''): string
    {
        return (string)($this->options[$option] ?? $default);
    }

    /** @return list<string> */
    public function list(string $option): array
    {
        return (array)($this->options[$option] ?? []);
    }

    private function bind(array $expected, array $plain): void
    {
        foreach ($expected as $match) {
            $optional = str_starts_with($match[0], '[');
            if ($plain === [] && !$optional) {
                throw new HintException("Not enough arguments (missing: \"{$match[1]}\").");
            }
            if (isset($match[2]) && $match[2] !== '') {
                $this->arguments[$match[1]] = $plain;
                $plain = [];
            } elseif ($plain !== []) {
                $this->arguments[$match[1]] = array_shift($plain);
            }
        }
        if ($plain !== []) {
            throw new HintException('Too many arguments, expected arguments "' . implode('" "', array_column($expected, 1)) . '".');
        }
    }
}
