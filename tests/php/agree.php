<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

/**
 * Holds stubs/nextcloud.php against a release: php tests/php/agree.php <folder of the release>.
 *
 * A release has each class and method, takes at least as many parameters, needs no more of them,
 * and means the same by a constant. What a release lacks and the application asks for first
 * (method_exists) is not in the stubs.
 */

// Texts that only the server interprets: the stubs have short ones.
const OWN_VALUES = ['CHAR_SYMBOLS', 'CHAR_ALPHANUMERIC'];
// Constants of Doctrine's, under other names: PARAM_INT = ParameterType::INTEGER.
const DOCTRINE = 'PARAM_';

require __DIR__ . '/stubs/nextcloud.php';

/** Returns where a release has a class. */
function place(string $release, string $class): ?string
{
    $path = str_replace('\\', '/', $class) . '.php';
    foreach (['OCP/' => 'lib/public/', 'OC/' => 'lib/private/', 'OCA/Settings/' => 'apps/settings/lib/', 'OCA/Theming/' => 'apps/theming/lib/'] as $prefix => $folder) {
        if (str_starts_with($path, $prefix)) {
            $file = "$release/$folder" . substr($path, strlen($prefix));
            return is_file($file) ? $file : null;
        }
    }
    return null;
}

/**
 * Returns the methods that a file declares, and those it inherits from files of the same release.
 *
 * @return array<string, array{int, int, bool}> name => parameters, those without a default, static
 */
function methods(string $release, string $file): array
{
    $code = php_strip_whitespace($file);
    $found = [];
    if (preg_match('/\b(?:class|interface)\s+\w+\s+(?:extends|implements)\s+([^{]+)/', $code, $head)) {
        preg_match('/namespace ([^;]+);/', $code, $namespace);
        preg_match_all('/\buse ([\w\\\\]+\\\\(\w+));/', $code, $uses);
        $imported = array_combine($uses[2], $uses[1]);
        foreach (preg_split('/[\s,]+|\bextends\b|\bimplements\b/', $head[1], -1, PREG_SPLIT_NO_EMPTY) as $parent) {
            $class = $imported[$parent] ?? ltrim($parent[0] === '\\' ? $parent : "$namespace[1]\\$parent", '\\');
            $there = place($release, $class);
            $found += $there === null || $there === $file ? [] : methods($release, $there);
        }
    }
    preg_match_all('/(?<static>static )?function &?(?<name>\w+)\s*\((?<parameters>(?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)/', $code, $all, PREG_SET_ORDER);
    foreach ($all as $one) {
        preg_match_all('/\$\w+(?<default>\s*=)?|\.\.\./', $one['parameters'], $parameters, PREG_SET_ORDER);
        $named = array_filter($parameters, fn (array $found): bool => $found[0] !== '...');
        $needed = array_filter($named, fn (array $found): bool => ($found['default'] ?? '') === '');
        $endless = count($named) !== count($parameters);
        $found[$one['name']] = [$endless ? PHP_INT_MAX : count($named), $endless ? 0 : count($needed), $one['static'] !== ''];
    }
    return $found;
}

/** @return list<string> */
function disagreements(string $release, ReflectionClass $stub): array
{
    $file = place($release, $stub->getName());
    if ($file === null) {
        return ["{$stub->getName()}: the release has no such class"];
    }
    $said = [];
    $real = methods($release, $file);
    foreach ($stub->getMethods(ReflectionMethod::IS_PUBLIC) as $method) {
        $name = $method->getName();
        $where = "{$stub->getName()}::$name()";
        if ($method->getDeclaringClass()->getName() !== $stub->getName() || ($name === '__construct' && !isset($real[$name]))) {
            continue;
        }
        if (!isset($real[$name])) {
            $said[] = "$where: the release has no such method";
            continue;
        }
        [$all, $needed, $static] = $real[$name];
        if ($method->getNumberOfParameters() > $all || $method->getNumberOfRequiredParameters() < $needed && $name !== '__construct') {
            $said[] = "$where: {$method->getNumberOfParameters()} parameters, the release has $needed to $all";
        }
        if ($method->isStatic() !== $static) {
            $said[] = "$where: static in one of the two";
        }
    }
    $code = php_strip_whitespace($file);
    foreach ($stub->getReflectionConstants() as $constant) {
        $name = $constant->getName();
        if ($constant->getDeclaringClass()->getName() !== $stub->getName() || str_starts_with($name, DOCTRINE)) {
            continue;
        }
        if (!preg_match("/const (?:int |string )?$name = ([^;]+);/", $code, $value)) {
            $said[] = "{$stub->getName()}::$name: the release has no such constant";
        } elseif (!in_array($name, OWN_VALUES, true) && $value[1] !== var_export($constant->getValue(), true)) {
            $said[] = "{$stub->getName()}::$name: the release has $value[1]";
        }
    }
    return $said;
}

$release = rtrim($argv[1] ?? '', '/');
if (!is_file("$release/lib/public/IConfig.php")) {
    fwrite(STDERR, 'found ' . json_encode($release) . ", expected the folder of a Nextcloud\n");
    exit(2);
}
$said = [];
$classes = 0;
// Of the public properties nothing is asked: they are the tests' own.
foreach ([...get_declared_classes(), ...get_declared_interfaces()] as $class) {
    if (preg_match('/^OC[PA]?\\\\/', $class)) {
        $classes++;
        $said = [...$said, ...disagreements($release, new ReflectionClass($class))];
    }
}
echo implode("\n", [...$said, "$classes classes and interfaces, " . count($said) . ' differ']), "\n";
exit($said === [] ? 0 : 1);
