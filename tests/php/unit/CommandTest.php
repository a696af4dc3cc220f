<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use OCA\Archipel\Command\Apply;
use OCA\Archipel\Command\Check;
use OCA\Archipel\Command\Invite;
use OCA\Archipel\Command\Status;
use Symfony\Component\Console\Application as Console;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\ArrayInput;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Output\BufferedOutput;
use Symfony\Component\Console\Output\OutputInterface;

/** The commands of occ, as whoever calls them sees them. */
final class CommandTest extends Nextcloud
{
    /**
     * @param array<string, mixed> $options
     * @return array{int, string}
     */
    private function called(Command $command, array $options = []): array
    {
        $console = new Console();
        $console->addCommands([$command, new class () extends Command {
            public function __construct()
            {
                parent::__construct('db:add');
            }

            protected function execute(InputInterface $input, OutputInterface $output): int
            {
                $output->writeln('added');
                return 0;
            }
        }]);
        $output = new BufferedOutput();
        return [$command->run(new ArrayInput($options), $output), $output->fetch()];
    }

    private function document(string $json): string
    {
        $file = tempnam(sys_get_temp_dir(), 'state');
        file_put_contents($file, $json);
        register_shutdown_function(static fn () => @unlink($file));
        return $file;
    }

    public function testApplyPrintsOneLineOfJson(): void
    {
        $file = $this->document('{"groups": ["members"]}');
        [$status, $said] = $this->called(new Apply($this->space), ['--input' => $file, '--dry-run' => true]);
        self::assertSame(0, $status);
        self::assertSame(['create group members'], json_decode($said, true)['changes']);
        self::assertFalse($this->space->hasGroup('members'));
        [, $said] = $this->called(new Apply($this->space), ['--input' => $file, '--before' => ['["db:add"]']]);
        self::assertSame([['command' => 'db:add', 'output' => 'added']], json_decode($said, true)['commands']);
        self::assertTrue($this->space->hasGroup('members'));
    }

    public function testWhatIsNotValidEndsWithTwo(): void
    {
        [$status, $said] = $this->called(new Apply($this->space), ['--input' => $this->document('[]')]);
        self::assertSame(2, $status);
        self::assertStringContainsString('nothing was changed', $said);
    }

    public function testWhatCannotBeReadEndsWithTwo(): void
    {
        foreach ([Apply::class => 'nothing was changed', Invite::class => 'nothing was sent', Check::class => 'nothing was read'] as $command => $said) {
            [$status, $output] = $this->called(new $command($this->space), ['--input' => '/nowhere']);
            self::assertSame(2, $status);
            self::assertStringContainsString("/nowhere cannot be read; $said", $output);
        }
        foreach ([Apply::class, Invite::class] as $command) {
            // No file is no document; only a check needs none.
            self::assertSame(2, $this->called(new $command($this->space), ['--input' => ''])[0]);
        }
    }

    public function testInviteReportsWhoIsNotThere(): void
    {
        $file = $this->document('{"admin": {"uid": "nobody", "email": "a@b.example"}}');
        [$status, $said] = $this->called(new Invite($this->space), ['--input' => $file, '--dry-run' => true]);
        self::assertSame(1, $status);
        self::assertStringContainsString('there is no account nobody here', $said);
    }

    public function testCheckAndStatus(): void
    {
        $this->settings->rows['files']['bad'] = ['1', 128, false];
        [$status, $said] = $this->called(new Check($this->space), []);
        self::assertSame(1, $status);
        self::assertStringContainsString('files/bad', $said);
        $this->settings->rows = ['archipel' => ['storage' => [(string)(int)disk_total_space(sys_get_temp_dir()), 2, false]]];
        $this->system = ['datadirectory' => sys_get_temp_dir()];
        [$status, $said] = $this->called(new Status($this->space));
        self::assertSame(0, $status);
        self::assertSame('disk', json_decode($said, true)['storage']['counted']);
    }
}
