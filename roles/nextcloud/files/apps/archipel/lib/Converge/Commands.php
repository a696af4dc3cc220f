<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/**
 * Commands of occ before and after the work, in the process that does it: starting Nextcloud
 * anew for each costs more than what they do.
 */
final class Commands
{
    /** @var array<string, list<list<string>>> */
    private array $words = [];
    /** @var list<array{command: string, output: string}> */
    private array $said = [];

    /**
     * @param \Closure(list<string>): array{int, string} $run runs a command, returns its exit status and output
     * @param array<string, list<string>> $options "before" and "after": commands, each a JSON list of words
     * @throws InvalidState
     */
    public function __construct(private \Closure $run, array $options)
    {
        foreach ($options as $when => $commands) {
            foreach ($commands as $command) {
                $this->words[$when][] = self::words($when, $command);
            }
        }
    }

    public function run(string $when): void
    {
        foreach ($this->words[$when] ?? [] as $words) {
            [$status, $output] = ($this->run)($words);
            if ($status !== 0) {
                throw new CommandFailed("$words[0] ended with $status: " . trim($output));
            }
            $this->said[] = ['command' => $words[0], 'output' => trim($output)];
        }
    }

    /** @return list<array{command: string, output: string}> */
    public function said(): array
    {
        return $this->said;
    }

    /** @return list<string> */
    private static function words(string $when, string $command): array
    {
        $words = json_decode($command);
        if (!is_array($words) || $words === [] || array_filter($words, is_string(...)) !== $words) {
            throw new InvalidState(["--$when: found " . json_encode($command) . ', expected a JSON list of words']);
        }
        return $words;
    }
}
