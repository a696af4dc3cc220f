<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use PHPUnit\Framework\TestCase;

/** What a page of a space becomes while its database does not answer; pages by PHP's own server. */
final class UnavailableTest extends TestCase
{
    private const SCRIPT = __DIR__ . '/../../../roles/spaces/files/unavailable.php';
    /** What MariaDB sends first: length, number, version of the protocol. */
    private const GREETING = "\x5a\x00\x00\x00\x0a11.8.3-MariaDB\x00";
    private const TOO_MANY = "\x17\x00\x00\x00\xff\x10\x04Too many connections";
    private string $folder;
    /** @var resource */
    private $process;
    private string $address;

    protected function setUp(): void
    {
        $this->folder = sys_get_temp_dir() . '/unavailable-' . bin2hex(random_bytes(8));
        mkdir($this->folder);
        file_put_contents($this->folder . '/page.php', <<<'PHP'
            <?php
            session_start();
            header('Content-Type: application/json');
            if ($_GET['status'] === 'uncaught') {
                throw new \PDOException('SQLSTATE[HY000] [2002] Connection timed out');
            }
            http_response_code((int)$_GET['status']);
            echo '{}';
            PHP);
        $probe = stream_socket_server('tcp://127.0.0.1:0');
        self::assertNotFalse($probe);
        $this->address = (string)stream_socket_get_name($probe, false);
        fclose($probe);
        $words = [PHP_BINARY, '-d', 'auto_prepend_file=' . self::SCRIPT, '-d', 'display_errors=0', '-S', $this->address];
        $process = proc_open(
            [...$words, '-t', $this->folder],
            [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w'], ['file', '/dev/null', 'w']],
            $pipes,
            $this->folder,
            ['ARCHIPEL_DATABASE' => "unix://{$this->folder}/database", 'TMPDIR' => $this->folder],
        );
        self::assertIsResource($process);
        $this->process = $process;
    }

    protected function tearDown(): void
    {
        proc_terminate($this->process);
        proc_close($this->process);
        array_map(unlink(...), glob($this->folder . '/*') ?: []);
        rmdir($this->folder);
    }

    public function testAnErrorWhileNobodyListensIsLedAway(): void
    {
        $this->assertLedAway($this->ask('500'));
    }

    public function testSoIsOneThatNobodyCaught(): void
    {
        $this->assertLedAway($this->ask('uncaught'));
    }

    public function testSoIsOneOfADatabaseThatTakesNobodyMore(): void
    {
        $this->assertLedAway($this->ask('500', self::TOO_MANY));
    }

    public function testSoIsOneOfADatabaseThatSaysNothing(): void
    {
        $this->assertLedAway($this->ask('500', ''));
    }

    public function testAnErrorOfAnApplicationStaysWhatItIs(): void
    {
        $this->assertItself(500, $this->ask('500', self::GREETING));
    }

    public function testSoDoesWhatSaysThatItIsClosed(): void
    {
        $this->assertItself(503, $this->ask('503', self::GREETING));
        $this->assertLedAway($this->ask('503'));
    }

    public function testWhatIsNoErrorOfTheServerAsksNoDatabase(): void
    {
        foreach ([200, 404, 502] as $status) {
            $this->assertItself($status, $this->ask((string)$status));
        }
    }

    public function testNobodyTriesAgainForAMoment(): void
    {
        $noted = $this->folder . '/database-unavailable';
        $this->assertLedAway($this->ask('500'));
        self::assertFileExists($noted);
        // It would succeed, and is not even begun.
        $this->assertLedAway($this->ask('200'));
        // Then whoever comes asks first.
        touch($noted, time() - 4);
        $this->assertLedAway($this->ask('200'));
        clearstatcache();
        self::assertGreaterThan(time() - 3, filemtime($noted));
    }

    public function testWhoComesOnceItAnswersAgainIsServed(): void
    {
        $noted = $this->folder . '/database-unavailable';
        foreach ([time() - 4, time() + 3600] as $since) {
            touch($noted, $since);
            $this->assertItself(200, $this->ask('200', self::GREETING));
            self::assertFileDoesNotExist($noted);
        }
        $this->assertItself(200, $this->ask('200'));
    }

    /** Returns the answer to a request; null: no database listens, else it is one that says this. */
    private function ask(string $status, ?string $said = null): string
    {
        @unlink("{$this->folder}/database");
        $database = $said === null ? null : stream_socket_server("unix://{$this->folder}/database");
        $until = microtime(true) + 10;
        while (($page = @stream_socket_client("tcp://{$this->address}")) === false && microtime(true) < $until) {
            usleep(20_000);
        }
        self::assertNotFalse($page);
        stream_set_timeout($page, 20);
        fwrite($page, "GET /page.php?status=$status HTTP/1.0\r\n\r\n");
        if ($database !== null) {
            $asking = stream_socket_accept($database, 10);
            self::assertNotFalse($asking);
            fwrite($asking, (string)$said);
        }
        return (string)stream_get_contents($page);
    }

    private function assertLedAway(string $answer): void
    {
        self::assertStringContainsString("\r\nX-Accel-Redirect: @unavailable\r\n", $answer);
        self::assertMatchesRegularExpression('#\r\nContent-Type: text/html; ?charset=utf-8\r\n#i', $answer);
        self::assertStringNotContainsStringIgnoringCase("\r\nSet-Cookie:", $answer);
        self::assertStringNotContainsStringIgnoringCase("\r\nExpires:", $answer);
    }

    private function assertItself(int $status, string $answer): void
    {
        self::assertStringStartsWith("HTTP/1.0 $status ", $answer);
        self::assertStringNotContainsString('X-Accel-Redirect', $answer);
        self::assertStringContainsString("\r\nContent-Type: application/json\r\n", $answer);
        self::assertStringEndsWith('{}', $answer);
    }
}
