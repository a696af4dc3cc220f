<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace OCA\Archipel\Converge;

/** What an invitation says: who writes, what there is, what to do, until when. */
final class InvitationWords
{
    private readonly \Closure $t;

    /** @param array{name: string, url: string, email: string, help_url: string} $operator */
    public function __construct(
        private readonly Administrator $admin,
        private readonly Space $space,
        private readonly array $operator,
        private readonly string $link,
        private readonly int $until,
    ) {
        $this->t = fn (string $text, string ...$parameters): string
            => $space->translate($admin->language, $text, array_values($parameters));
    }

    public function subject(): string
    {
        return ($this->t)('Your space “%s” is ready', $this->space->name());
    }

    public function text(): string
    {
        $paragraphs = array_map(
            fn (array $paragraph): string => implode("\n", array_filter($paragraph)),
            [...$this->before(), [$this->choose(), $this->link], ...$this->after(), $this->signature()],
        );
        return implode("\n\n", array_filter($paragraphs)) . "\n";
    }

    /** Everything that people wrote is quoted; nothing is loaded from anywhere. */
    public function html(): string
    {
        // In the language of the words, whatever was asked for.
        $language = ($this->t)('en (language of these words)') === 'fr' ? 'fr' : 'en';
        $link = self::quoted($this->link);
        $button = '<p style="margin:1.5em 0"><a href="' . $link . '" style="display:inline-block;padding:.7em 1.4em;'
            . 'border-radius:.4em;background:#005a8c;color:#ffffff;font-weight:bold;text-decoration:none">'
            . self::quoted(($this->t)('Choose my password')) . "</a></p>\n";
        return "<!DOCTYPE html>\n<html lang=\"$language\">\n<head><meta charset=\"utf-8\"><title>"
            . self::quoted($this->subject()) . "</title></head>\n"
            . '<body style="margin:0;padding:1em;background:#ffffff;color:#1a1a1a;font:16px/1.5 sans-serif">' . "\n"
            . "<div style=\"max-width:36em;margin:0 auto\">\n"
            . self::paragraphs($this->before()) . $button . self::paragraphs($this->after())
            . '<hr style="border:0;border-top:1px solid #cccccc">' . "\n" . self::paragraphs([$this->signature()])
            . "</div>\n</body>\n</html>\n";
    }

    /** @return list<list<string>> paragraphs of lines */
    private function before(): array
    {
        // The name of an account is no name of a person.
        $name = $this->admin->displayName;
        $operator = $this->operator['name'];
        return [
            [$name === '' ? ($this->t)('Hello,') : ($this->t)('Hello %s,', $name)],
            [$operator === ''
                ? ($this->t)('The Nextcloud space “%s” is ready, and you are its first administrator.', $this->space->name())
                : ($this->t)(
                    '%1$s has opened the Nextcloud space “%2$s” for your association, and you are its first administrator.',
                    $operator,
                    $this->space->name(),
                )],
        ];
    }

    private function choose(): string
    {
        return ($this->t)('Choose your password here:');
    }

    /** @return list<list<string>> */
    private function after(): array
    {
        return [
            [($this->t)('This link works once, until %s.', Moment::inWords($this->until, $this->space->timezone(), $this->t))],
            [
                ($this->t)('Your account name: %s', $this->admin->uid),
                ($this->t)('Address of the space: %s', $this->space->url()),
            ],
            [($this->t)('Once you have logged in, you can add the accounts of the members of your association.')],
            $this->operator['email'] === '' ? []
                : [($this->t)('Does the link no longer work? Reply to this message, and you will be sent a new one.')],
        ];
    }

    /** @return list<string> */
    private function signature(): array
    {
        return array_values(array_filter([$this->operator['name'], $this->operator['url'], $this->operator['email']]));
    }

    /** @param list<list<string>> $paragraphs */
    private static function paragraphs(array $paragraphs): string
    {
        $html = '';
        foreach (array_filter($paragraphs) as $lines) {
            $html .= '<p>' . implode("<br>\n", array_map(self::quoted(...), $lines)) . "</p>\n";
        }
        return $html;
    }

    private static function quoted(string $text): string
    {
        return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
    }
}
