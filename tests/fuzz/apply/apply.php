<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

/**
 * Applies documents to spaces in memory, one after the other, as `occ archipel:apply` does.
 *
 * Reads lines of JSON, {"document": base64, "before": [...], "dry_run": bool}; answers each with a
 * line: what the command ends with and prints, or what it did not catch.
 */

use OCA\Archipel\Converge\Report;
use OCA\Archipel\Tests\FakeSpace;

require dirname(__DIR__, 2) . '/php/bootstrap.php';

// Notices are faults too: a person would read them.
set_error_handler(static function (int $level, string $message, string $file, int $line): never {
    throw new ErrorException($message, 0, $level, $file, $line);
});
$file = tempnam(sys_get_temp_dir(), 'document');
register_shutdown_function(static fn () => unlink($file));
while (($line = fgets(STDIN)) !== false) {
    $asked = json_decode($line, true, 8, JSON_THROW_ON_ERROR);
    file_put_contents($file, base64_decode($asked['document'], true));
    $began = microtime(true);
    try {
        $report = Report::apply(
            new FakeSpace(),
            $file,
            $asked['dry_run'],
            static fn (array $words): array => [0, implode(' ', $words)],
            array_filter(['before' => $asked['before']]),
        );
        $answer = ['status' => $report->status, 'output' => $report->output, 'errors' => $report->errors];
    } catch (Throwable $thrown) {
        $answer = ['thrown' => $thrown::class . ': ' . $thrown->getMessage() . ' at ' . $thrown->getFile() . ':' . $thrown->getLine()];
    }
    $answer['seconds'] = microtime(true) - $began;
    echo json_encode($answer, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}
