<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** What a command prints, where, and with which exit status. */
final class Report
{
    public const DONE = 0;
    public const FAILED = 1;
    public const INVALID = 2;

    private function __construct(
        public readonly int $status,
        public readonly string $output,
        public readonly string $errors,
    ) {
    }

    /**
     * @param null|\Closure(list<string>): array{int, string} $run runs a command of occ in this process
     * @param array<string, list<string>> $commands "before" and "after", see Commands; a dry run runs none
     */
    public static function apply(Space $space, string $file, bool $dryRun, ?\Closure $run = null, array $commands = []): self
    {
        $json = @file_get_contents($file === '-' ? 'php://stdin' : $file);
        if ($json === false) {
            return new self(self::INVALID, '', "archipel:apply: $file cannot be read; nothing was changed");
        }
        try {
            $around = $run === null || $dryRun ? null : new Commands($run, $commands);
            $wanted = DesiredState::fromJson($json);
            $around?->run('before');
            $result = (new Converger($space, $dryRun))->converge($wanted);
            $around?->run('after');
            $result += $around === null ? [] : ['commands' => $around->said()];
        } catch (CommandFailed $failed) {
            return new self(self::FAILED, '', 'archipel:apply: ' . $failed->getMessage());
        } catch (InvalidState $invalid) {
            $problems = implode("\n", array_map(fn ($problem) => "archipel:apply: $problem", $invalid->problems));
            return new self(self::INVALID, '', $problems . "\narchipel:apply: nothing was changed");
        }
        return new self($result['errors'] === [] ? self::DONE : self::FAILED, self::json($result), implode("\n", $result['errors']));
    }

    public static function invite(Space $space, string $file, bool $dryRun): self
    {
        $json = @file_get_contents($file === '-' ? 'php://stdin' : $file);
        if ($json === false) {
            return new self(self::INVALID, '', "archipel:invite: $file cannot be read; nothing was sent");
        }
        try {
            $result = (new Inviter($space, $dryRun))->invite(InvitationOrder::fromJson($json));
        } catch (InvalidState $invalid) {
            $problems = implode("\n", array_map(fn ($problem) => "archipel:invite: $problem", $invalid->problems));
            return new self(self::INVALID, '', $problems . "\narchipel:invite: nothing was sent");
        }
        return new self($result['errors'] === [] ? self::DONE : self::FAILED, self::json($result), implode("\n", $result['errors']));
    }

    public static function status(Space $space): self
    {
        $office = Office::of($space);
        $storage = Storage::of($space);
        return new self(self::DONE, self::json([
            'version' => $space->version(),
            'accounts' => $space->accounts(),
            'storage' => ['used' => $storage->used, 'limit' => $storage->limit, 'counted' => $storage->counted],
            'office' => ['chosen' => $office->chosen($space), 'enabled' => $office->enabled($space), 'pinned' => $office->pinned],
            'admins' => $space->subadmins(),
            'apps' => (object)$space->applications(),
            'last_cron' => $space->lastCron(),
        ]), '');
    }

    /** Whether what is set in a space can be read: all of it, and what a document imposes as it imposes it. */
    public static function check(Space $space, string $file): self
    {
        $json = $file === '' ? '{}' : @file_get_contents($file === '-' ? 'php://stdin' : $file);
        if ($json === false) {
            return new self(self::INVALID, '', "archipel:check: $file cannot be read");
        }
        try {
            $check = new Check($space, DesiredState::fromJson($json));
        } catch (InvalidState $invalid) {
            return new self(self::INVALID, '', implode("\n", array_map(fn ($problem) => "archipel:check: $problem", $invalid->problems)));
        }
        $problems = $check->problems();
        $answer = ['problems' => $problems, 'imposed' => (object)$check->imposed()];
        return new self($problems === [] ? self::DONE : self::FAILED, self::json($answer), implode("\n", $problems));
    }

    private static function json(mixed $value): string
    {
        return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
    }
}
