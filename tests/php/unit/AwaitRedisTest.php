<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use PHPUnit\Framework\TestCase;

/** What the PHP of a space runs when it starts: it waits for Redis, but not for ever. */
final class AwaitRedisTest extends TestCase
{
    private const PROGRAM = __DIR__ . '/../../../roles/spaces/files/await-redis.php';

    private string $socket;

    protected function setUp(): void
    {
        $this->socket = sys_get_temp_dir() . '/archipel-redis-' . bin2hex(random_bytes(6)) . '.sock';
    }

    protected function tearDown(): void
    {
        @unlink($this->socket);
    }

    /** @return array{resource, resource} the program, and what it says */
    private function begin(string $seconds): array
    {
        $environment = ['ARCHIPEL_REDIS_SOCKET' => $this->socket, 'ARCHIPEL_REDIS_SECONDS' => $seconds];
        $process = proc_open([PHP_BINARY, self::PROGRAM], [2 => ['pipe', 'w']], $pipes, null, $environment);
        self::assertIsResource($process);
        return [$process, $pipes[2]];
    }

    /**
     * Let it come to the end.
     *
     * @param resource $process
     * @param resource $stream
     *
     * @return array{int, string} its exit code and what it said
     */
    private function end($process, $stream): array
    {
        $said = (string)stream_get_contents($stream);
        fclose($stream);
        return [proc_close($process), $said];
    }

    /**
     * Answer the next call.
     *
     * @param resource $server
     *
     * @return string what was asked
     */
    private function answer($server, string $with): string
    {
        $client = stream_socket_accept($server, 30);
        self::assertIsResource($client);
        $asked = (string)fgets($client);
        fwrite($client, $with);
        fclose($client);
        return $asked;
    }

    public function testItEndsWhenRedisAnswers(): void
    {
        $server = stream_socket_server("unix://{$this->socket}");
        [$process, $stream] = $this->begin('60');
        self::assertSame("PING\r\n", $this->answer($server, "+PONG\r\n"));
        self::assertSame([0, ''], $this->end($process, $stream));
    }

    /** One that still reads, and one that ends without a word, are no Redis that is there. */
    public function testAnythingElseIsAskedAgain(): void
    {
        $server = stream_socket_server("unix://{$this->socket}");
        [$process, $stream] = $this->begin('60');
        foreach (["-LOADING Redis is loading the dataset in memory\r\n", '', "+PONG\r\n"] as $with) {
            self::assertSame("PING\r\n", $this->answer($server, $with));
        }
        self::assertSame([0, ''], $this->end($process, $stream));
    }

    public function testOneThatComesLaterIsWaitedFor(): void
    {
        [$process, $stream] = $this->begin('60');
        usleep(300_000);
        self::assertTrue(proc_get_status($process)['running']);
        $server = stream_socket_server("unix://{$this->socket}");
        $this->answer($server, "+PONG\r\n");
        self::assertSame([0, ''], $this->end($process, $stream));
    }

    public function testOneThatNeverComesKeepsPhpBackForSoLongOnly(): void
    {
        $start = microtime(true);
        [$code, $said] = $this->end(...$this->begin('0.3'));
        self::assertSame(0, $code);
        self::assertSame("<3>no answer from Redis at {$this->socket} in 0.3 seconds\n", $said);
        self::assertGreaterThan(0.3, microtime(true) - $start);
    }

    /** As PHP-FPM runs it: an error in it would keep PHP from starting. */
    public function testPhpStartsWithIt(): void
    {
        $options = ['-d', 'opcache.enable_cli=1', '-d', 'opcache.preload=' . self::PROGRAM];
        // Who is root must say as whom it runs; a space is not root.
        $options = [...$options, ...(posix_getuid() === 0 ? ['-d', 'opcache.preload_user=root'] : [])];
        $environment = ['ARCHIPEL_REDIS_SOCKET' => $this->socket, 'ARCHIPEL_REDIS_SECONDS' => '0.1'];
        $channels = [1 => ['pipe', 'w'], 2 => ['pipe', 'w']];
        $process = proc_open([PHP_BINARY, ...$options, '-r', 'echo "begun";'], $channels, $pipes, null, $environment);
        self::assertIsResource($process);
        self::assertSame('begun', stream_get_contents($pipes[1]));
        $said = "<3>no answer from Redis at {$this->socket} in 0.1 seconds\n";
        self::assertSame([0, $said], $this->end($process, $pipes[2]));
    }
}
