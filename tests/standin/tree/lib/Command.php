<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** What the commands share: the instance, the arguments, and the output formats of occ. */
abstract class Command
{
    public function __construct(protected Server $server, protected Input $input)
    {
    }

    protected function say(string $text, int $status = 0): int
    {
        echo $text . "\n";
        return $status;
    }

    protected function show(mixed $value): int
    {
        $flags = JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR;
        return match ($this->input->text('output', 'plain')) {
            'json' => $this->say(json_encode($value, $flags)),
            'json_pretty' => $this->say(json_encode($value, $flags | JSON_PRETTY_PRINT)),
            default => is_array($value) ? $this->showLines($value, '  - ') : $this->say($this->plain($value)),
        };
    }

    protected function plain(mixed $value): string
    {
        return is_bool($value) ? ($value ? 'true' : 'false') : (string)($value ?? '');
    }

    /** A value as the --type option names it. */
    protected function typed(string $value, string $type): mixed
    {
        return match ($type) {
            '', 'string' => $value,
            'integer', 'int' => is_numeric($value) ? (int)$value : throw new HintException('Non-numeric value specified'),
            'double', 'float' => (float)$value,
            'boolean', 'bool' => in_array(strtolower($value), ['true', '1', 'yes', 'on'], true),
            'null' => null,
            'json', 'array' => json_decode($value, true, 32, JSON_THROW_ON_ERROR),
            default => throw new HintException("Invalid value for --type: $type"),
        };
    }

    private function showLines(array $values, string $prefix): int
    {
        foreach ($values as $key => $value) {
            $label = is_int($key) && array_is_list($values) ? '' : "$key: ";
            if (is_array($value)) {
                $this->say($prefix . rtrim($label));
                $this->showLines($value, '  ' . $prefix);
            } else {
                $this->say($prefix . $label . $this->plain($value));
            }
        }
        return 0;
    }
}
