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
        return self::onDocument('archipel:apply', $file, 'nothing was changed', function (string $json) use ($space, $dryRun, $run, $commands): array {
            $around = $run === null || $dryRun ? null : new Commands($run, $commands);
            $wanted = DesiredState::fromJson($json);
            $around?->run('before');
            $result = (new Converger($space, $dryRun))->converge($wanted);
            $around?->run('after');
            return $result + ($around === null ? [] : ['commands' => $around->said()]);
        });
    }

    public static function invite(Space $space, string $file, bool $dryRun): self
    {
        return self::onDocument(
            'archipel:invite',
            $file,
            'nothing was sent',
            fn (string $json): array => (new Inviter($space, $dryRun))->invite(InvitationOrder::fromJson($json)),
        );
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
        return self::onDocument('archipel:check', $file, 'nothing was read', function (string $json) use ($space): array {
            $check = new Check($space, DesiredState::fromJson($json));
            return ['problems' => $check->problems(), 'imposed' => (object)$check->imposed()];
        }, '{}');
    }

    /**
     * Reads a document, and reports what comes of it.
     *
     * @param string $file its name; "-": standard input
     * @param string $otherwise what is said where it cannot be read, or is not valid
     * @param \Closure(string): array<string, mixed> $do from the document to a result, with its `errors` or `problems`
     * @param string|null $unnamed what stands for the document where no file is named
     */
    private static function onDocument(string $command, string $file, string $otherwise, \Closure $do, ?string $unnamed = null): self
    {
        $json = $file === '' ? $unnamed ?? false : @file_get_contents($file === '-' ? 'php://stdin' : $file);
        if ($json === false) {
            $named = $file === '' ? 'a file without a name' : $file;
            return new self(self::INVALID, '', "$command: $named cannot be read; $otherwise");
        }
        try {
            $result = $do($json);
        } catch (CommandFailed $failed) {
            return new self(self::FAILED, '', "$command: " . $failed->getMessage());
        } catch (InvalidState $invalid) {
            $lines = array_map(fn (string $problem): string => "$command: $problem", [...$invalid->problems, $otherwise]);
            return new self(self::INVALID, '', implode("\n", $lines));
        }
        $wrong = $result['errors'] ?? $result['problems'];
        return new self($wrong === [] ? self::DONE : self::FAILED, self::json($result), implode("\n", array_map(Sentence::of(...), $wrong)));
    }

    private static function json(mixed $value): string
    {
        return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
    }
}
