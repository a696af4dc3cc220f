<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use OCA\Archipel\Converge\AccountLimit;
use OCA\Archipel\Converge\CommandFailed;
use OCA\Archipel\Converge\Commands;
use OCA\Archipel\Converge\InvalidState;
use OCA\Archipel\Converge\Office;
use OCA\Archipel\Converge\Report;
use OCA\Archipel\Converge\Storage;
use OCA\Archipel\Converge\Warning;
use PHPUnit\Framework\TestCase;

/** Numbers, limits and reports. */
final class PartsTest extends TestCase
{
    private FakeSpace $space;

    protected function setUp(): void
    {
        $this->space = new FakeSpace();
    }

    public function testAWarningComesOnceForEachCrossing(): void
    {
        $level = 0;
        $levels = [];
        foreach ([10, 79, 80, 85, 78, 77, 76, 95, 93, 91, 100, 20] as $percent) {
            $level = Warning::level($percent, $level);
            $levels[] = $level;
        }
        // Use that goes up and down around a level is one crossing.
        self::assertSame([0, 0, 80, 80, 80, 80, 0, 95, 95, 80, 95, 0], $levels);
    }

    public function testWithoutALimitNothingGetsFull(): void
    {
        $this->space->accounts = ['used' => 7, 'limit' => null];
        self::assertSame(['accounts' => 0, 'storage' => 0], Warning::uses($this->space));
        $this->space->accounts = ['used' => 7, 'limit' => 0];
        self::assertSame(0, Warning::uses($this->space)['accounts']);
        $this->space->accounts = ['used' => 49, 'limit' => 50];
        self::assertSame(98, Warning::uses($this->space)['accounts']);
    }

    public function testADiskThatShowsTheLimitAsItsSizeIsBelieved(): void
    {
        $this->space->indexed = 7;
        $this->space->settings['archipel/storage'] = '1000';
        $this->space->disk = ['size' => 1005, 'free' => 205];
        $storage = Storage::of($this->space);
        self::assertSame([800, 1000, Storage::DISK, 80], [$storage->used, $storage->limit, $storage->counted, $storage->percent()]);
        // Any other size is that of the whole disk, which says nothing about this space.
        $this->space->disk = ['size' => 2000, 'free' => 0];
        self::assertSame([7, Storage::INDEX], [Storage::of($this->space)->used, Storage::of($this->space)->counted]);
        unset($this->space->settings['archipel/storage']);
        self::assertSame(0, Storage::of($this->space)->percent());
    }

    public function testTheAccountLimit(): void
    {
        self::assertFalse(AccountLimit::exceeded($this->space));
        $this->space->accounts = ['used' => 51, 'limit' => 50];
        self::assertTrue(AccountLimit::exceeded($this->space));
        self::assertStringContainsString('limit of 50 accounts', AccountLimit::refusal($this->space));
        $this->space->accounts = ['used' => 51, 'limit' => null];
        self::assertFalse(AccountLimit::exceeded($this->space));
    }

    public function testANumberInAnAnswerOfAnOfficeServer(): void
    {
        self::assertSame(3, Office::number('{"quota": {"edit": {"count": 3}}}', 'quota.edit.count'));
        foreach (['', '[]', '{"quota": 3}', '{"quota": {"edit": {"count": "3"}}}'] as $answer) {
            self::assertNull(Office::number($answer, 'quota.edit.count'), $answer);
        }
    }

    public function testTheChoiceOfASpaceCountsUnlessItIsPinnedOrGone(): void
    {
        $suites = ['a' => ['name' => 'A', 'application' => 'a1'], 'b' => ['name' => 'B', 'application' => 'b1', 'served' => false]];
        $this->space->settings['archipel/office'] = 'b';
        self::assertSame('b', (new Office($suites, 'a', false))->chosen($this->space));
        self::assertSame('a', (new Office($suites, 'a', true))->chosen($this->space));
        unset($suites['b']);
        self::assertSame('a', (new Office($suites, 'a', false))->chosen($this->space));
        self::assertNull((new Office([], 'a', false))->chosen($this->space));
        self::assertTrue((new Office($suites, 'a', false))->isServed('a'));
        $this->space->settings['archipel/' . Office::POLICY] = 'not JSON';
        self::assertSame([[], '', true], [Office::of($this->space)->suites, Office::of($this->space)->default, Office::of($this->space)->pinned]);
    }

    public function testCommandsAroundTheWorkAreSaidAndMayFail(): void
    {
        $run = fn (array $words): array => [$words[0] === 'bad' ? 3 : 0, implode(' ', $words) . "\n"];
        $commands = new Commands($run, ['before' => ['["first","--all"]'], 'after' => ['["bad"]']]);
        $commands->run('before');
        self::assertSame([['command' => 'first', 'output' => 'first --all']], $commands->said());
        try {
            $commands->run('after');
            self::fail('it did not fail');
        } catch (CommandFailed $failed) {
            self::assertSame('bad ended with 3: bad', $failed->getMessage());
        }
        foreach (['', '[]', '{}', '"a"', '["a", 1]'] as $words) {
            try {
                new Commands($run, ['before' => [$words]]);
                self::fail("taken: $words");
            } catch (InvalidState $refused) {
                self::assertStringContainsString('expected a JSON list of words', $refused->getMessage());
            }
        }
    }

    private function apply(string $json, bool $dryRun = false, ?\Closure $run = null, array $commands = []): Report
    {
        $file = tempnam(sys_get_temp_dir(), 'state');
        file_put_contents($file, $json);
        try {
            return Report::apply($this->space, $file, $dryRun, $run, $commands);
        } finally {
            unlink($file);
        }
    }

    public function testTheExitStatusOfApply(): void
    {
        self::assertSame(Report::DONE, $this->apply('{"groups": ["members"]}')->status);
        $this->space->fails = ['add group other'];
        $failed = $this->apply('{"groups": ["other"]}');
        self::assertSame([Report::FAILED, 'create group other: refused'], [$failed->status, $failed->errors]);
        $invalid = $this->apply('[]');
        self::assertSame([Report::INVALID, ''], [$invalid->status, $invalid->output]);
        self::assertStringContainsString('nothing was changed', $invalid->errors);
        $missing = Report::apply($this->space, '/does/not/exist', false);
        self::assertSame(Report::INVALID, $missing->status);
    }

    public function testCommandsOfApplyRunButNotInADryRun(): void
    {
        $run = fn (array $words): array => [0, 'ran'];
        $commands = ['before' => ['["db:add"]'], 'after' => ['["db:done"]']];
        $said = json_decode($this->apply('{}', false, $run, $commands)->output, true);
        self::assertSame(['db:add', 'db:done'], array_column($said['commands'], 'command'));
        self::assertArrayNotHasKey('commands', json_decode($this->apply('{}', true, $run, $commands)->output, true));
        $bad = $this->apply('{"groups": ["g"]}', false, fn (): array => [1, 'no'], $commands);
        self::assertSame([Report::FAILED, 'archipel:apply: db:add ended with 1: no'], [$bad->status, $bad->errors]);
        self::assertSame([], $this->space->groups);
    }

    public function testTheStatusOfASpace(): void
    {
        $status = json_decode(Report::status($this->space)->output, true);
        self::assertSame(['used' => 3, 'limit' => 50], $status['accounts']);
        self::assertSame('33.0.3.1', $status['version']);
        $this->space->enabled = [];
        // An empty list of applications is still an object.
        self::assertStringContainsString('"apps":{}', Report::status($this->space)->output);
    }

    public function testWhatIsImposedIsReadBack(): void
    {
        $file = tempnam(sys_get_temp_dir(), 'state');
        file_put_contents($file, '{"app_config": {"mail": {"a": "1", "b": "2", "c": "3"}}}');
        $this->space->settings = ['mail/a' => '1', 'mail/b' => 'other', 'mail/c' => '3'];
        $this->space->typed = ['mail/c'];
        $this->space->unreadable = ['deck/x'];
        $check = Report::check($this->space, $file);
        unlink($file);
        self::assertSame(Report::FAILED, $check->status);
        self::assertCount(3, json_decode($check->output, true)['problems']);
        self::assertSame(['string'], json_decode($check->output, true)['imposed']['mail/c']);
        $this->space->unreadable = [];
        self::assertSame(Report::DONE, Report::check($this->space, '')->status);
        self::assertSame(Report::INVALID, Report::check($this->space, '/does/not/exist')->status);
    }
}
