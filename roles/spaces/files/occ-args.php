<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

// Runs occ with arguments, environment and input read from standard input, so that
// none of them shows in the process list:
//   {"arguments": ["user:add", "x"], "environment": {"OC_PASS": "…"}, "input": "…"}
// With "more": [["status"], …] those commands follow, each in a process of its own, as long as
// the one before it succeeds: starting the sandbox costs more than a short command does.
// The input goes to a private file; "{input}" in an argument stands for its path. Which of several
// commands failed is said on standard error.

declare(strict_types=1);

$request = json_decode((string)stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
$release = getenv('ARCHIPEL_RELEASE');
if ($release === false || !is_array($request['arguments'] ?? null)) {
    fwrite(STDERR, "occ-args: ARCHIPEL_RELEASE and {\"arguments\": [...]} are needed\n");
    exit(2);
}
foreach ($request['environment'] ?? [] as $name => $value) {
    putenv("$name=$value");
}
$commands = [$request['arguments'], ...$request['more'] ?? []];
$commands = array_map(static fn (array $words) => array_map(strval(...), $words), $commands);
if (isset($request['input'])) {
    $file = tempnam(sys_get_temp_dir(), 'occ');
    file_put_contents($file, $request['input']);
    // The processes of the first commands leave it to the last one.
    $owner = getmypid();
    register_shutdown_function(static fn () => getmypid() === $owner && @unlink($file));
    $commands = array_map(static fn (array $words) => str_replace('{input}', $file, $words), $commands);
}
$arguments = array_shift($commands);
foreach ($commands as $next) {
    $child = pcntl_fork();
    if ($child === -1) {
        fwrite(STDERR, "occ-args: cannot fork\n");
        exit(2);
    }
    if ($child === 0) {
        // This one runs its command; the parent waits, and goes on with the next.
        break;
    }
    pcntl_waitpid($child, $status);
    if (!pcntl_wifexited($status) || pcntl_wexitstatus($status) !== 0) {
        $code = pcntl_wifexited($status) ? pcntl_wexitstatus($status) : 2;
        fwrite(STDERR, "\nocc-args: {$arguments[0]} ended with $code\n");
        exit($code);
    }
    $arguments = $next;
}
$argv = ['occ', ...$arguments];
$argc = count($argv);
$_SERVER['argv'] = $argv;
$_SERVER['argc'] = $argc;
chdir($release);
require $release . '/console.php';
