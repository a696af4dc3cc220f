<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Tests;

use OCA\Archipel\Converge\DesiredState;
use OCA\Archipel\Converge\InvalidState;
use OCA\Archipel\Converge\Sentence;
use PHPUnit\Framework\TestCase;

/** A document is checked as a whole, and every problem is named at once. */
final class DesiredStateTest extends TestCase
{
    /** @return list<string> */
    private static function problems(string $json): array
    {
        try {
            DesiredState::fromJson($json);
        } catch (InvalidState $refused) {
            return $refused->problems;
        }
        return [];
    }

    public function testAnEmptyDocumentAsksForNothing(): void
    {
        $state = DesiredState::fromJson('{}');
        self::assertSame([[], [], [], null, null], [$state->enable, $state->appConfig, $state->groups, $state->admin, $state->logo]);
        self::assertSame(DesiredState::INVITE_NEVER, $state->invite);
    }

    /** @dataProvider wrong */
    #[\PHPUnit\Framework\Attributes\DataProvider('wrong')]
    public function testWhatIsWrongIsNamedWithItsPlace(string $json, string $said): void
    {
        self::assertStringContainsString($said, implode("\n", self::problems($json)));
    }

    /** @return array<string, array{string, string}> */
    public static function wrong(): array
    {
        $admin = '"groups": ["g"], "admin": {"uid": "%s", "email": "%s", "groups": ["%s"]}';
        return [
            'no JSON' => ['{', 'desired state: not JSON'],
            'too deep' => [str_repeat('[', 40) . str_repeat(']', 40), 'not JSON'],
            'a list' => ['[]', 'desired state: found [], expected an object'],
            'an unknown key' => ['{"app": {}}', 'unknown key "app"; allowed: apps'],
            'a list for an object' => ['{"app_config": []}', 'app_config: found [], expected an object'],
            'an object for a list' => ['{"groups": {}}', 'groups: found {}, expected a list of names'],
            'a name that leads out' => ['{"apps": {"enable": ["../x"]}}', 'apps.enable[0]: found "../x"'],
            'a name with a line break' => ['{"apps": {"enable": ["mail\n"]}}', 'apps.enable[0]'],
            'a number for a name' => ['{"groups": [7]}', 'groups[0]: found 7'],
            'both on and off' => ['{"apps": {"enable": ["a1"], "disable": ["a1"]}}', 'both enabled and disabled'],
            'a protected key' => ['{"app_config": {"mail": {"enabled": "yes"}}}', 'belongs to Nextcloud'],
            'no application' => ['{"app_config": {"Mail": {}}}', 'expected an application id'],
            'given and imposed' => [
                '{"app_config": {"mail": {"k": 1}}, "app_defaults": {"mail": {"k": 1}}}', 'app_config imposes it already',
            ],
            'a number beyond all' => ['{"app_config": {"mail": {"k": 1e999}}}', 'app_config.mail.k: found 0, expected numbers below 1.8e308'],
            'such a number inside' => ['{"app_defaults": {"mail": {"k": [{"a": -1e999}]}}}', 'app_defaults.mail.k: found [{"a":0}]'],
            'signs for a terminal' => ['{"app_config": {"\\u001b[2J\\u202e": 1}}', 'app_config.\u{1b}[2J\u{202e}: found 1, expected an object'],
            'a group of such signs' => ['{"delegations": {"OCA\\\\A\\\\B": ["g\\n\\u009b"]}}', 'group g \u{9b} is not in groups'],
            'no flag' => ['{"invite_by_mail": "yes"}', 'invite_by_mail: found "yes", expected true or false'],
            'no invitation' => ['{"invite": "often"}', 'true, false or "again"'],
            'nobody to invite' => ['{"invite": true}', 'there is no admin to invite'],
            'a logo without a digest' => ['{"logo": {"file": "/a"}}', 'logo.sha256: found null, expected 64 hexadecimal digits'],
            'a logo that is not absolute' => ['{"logo": {"file": "a", "sha256": ""}}', 'logo.file: found "a"'],
            'a suite without a name' => ['{"office": {"suites": {"c": {"application": "x1"}}, "default": "collabora"}}', 'suites.c.name'],
            'how to count, twice' => [
                '{"office": {"suites": {"c": {"name": "C", "application": "x1", "open": {"query": "q", "url": "u"}}}, "default": "co"}}',
                'either query, or url and key',
            ],
            'a connector in apps too' => [
                '{"apps": {"enable": ["x1"]}, "office": {"suites": {"c": {"name": "C", "application": "x1"}}, "default": "co"}}',
                'x1 is in apps too',
            ],
            'a class that is none' => ['{"delegations": {"Theming": []}}', 'a settings class such as'],
            'a group that is not there' => ['{"delegations": {"OCA\\\\A\\\\B": ["g"]}}', 'group g is not in groups'],
            'an administrator of the server' => ['{' . sprintf($admin, 'a', 'a@b', 'admin') . '}', 'run the server'],
            'no address' => ['{' . sprintf($admin, 'a', 'nobody', 'g') . '}', 'admin.email: found "nobody"'],
            'a name that is none' => ['{' . sprintf($admin, '../a', 'a@b', 'g') . '}', 'admin.uid: found "../a"'],
            'an administrator who goes' => ['{"remove_users": ["a"], ' . sprintf($admin, 'a', 'a@b', 'g') . '}', 'a is the administrator'],
            'an unknown group' => ['{' . sprintf($admin, 'a', 'a@b', 'h') . '}', 'admin: group h is not in groups'],
        ];
    }

    public function testAllProblemsAreNamedInOneRun(): void
    {
        self::assertCount(3, self::problems('{"groups": {}, "invite_by_mail": 1, "remove_users": ["/"]}'));
    }

    public function testASentenceIsOneLineOfBoundedLength(): void
    {
        foreach (self::problems(json_encode(['groups' => [str_repeat("\u{202e}", 900)], str_repeat('é', 900) => 1])) as $said) {
            self::assertLessThanOrEqual(Sentence::LONGEST, mb_strlen($said));
            self::assertDoesNotMatchRegularExpression('/[\p{C}\r\n]/u', $said);
        }
    }

    public function testWhatIsFoundIsShownShortened(): void
    {
        [$said] = self::problems(json_encode(['invite_by_mail' => str_repeat('é', 500)]));
        self::assertLessThan(160, mb_strlen($said));
    }
}
