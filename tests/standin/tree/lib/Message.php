<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** A letter in two forms, as it travels. */
final class Message
{
    /**
     * @param array{string, string} $to address and name
     * @param array{string, string} $from
     * @param array{string, string} $replyTo no address: none
     */
    public function __construct(
        public readonly array $to,
        public readonly array $from,
        private readonly array $replyTo,
        private readonly string $subject,
        private readonly string $text,
        private readonly string $html,
    ) {
    }

    public function source(): string
    {
        $boundary = '=_' . bin2hex(random_bytes(12));
        $headers = array_filter([
            'Date' => date(DATE_RFC2822),
            'Message-ID' => '<' . bin2hex(random_bytes(16)) . '@' . explode('@', $this->from[0])[1] . '>',
            'From' => self::address($this->from),
            'To' => self::address($this->to),
            'Reply-To' => $this->replyTo[0] === '' ? '' : self::address($this->replyTo),
            'Subject' => self::words($this->subject),
            'Auto-Submitted' => 'auto-generated',
            'MIME-Version' => '1.0',
            'Content-Type' => "multipart/alternative; boundary=\"$boundary\"",
        ]);
        $source = '';
        foreach ($headers as $name => $value) {
            $source .= "$name: $value\r\n";
        }
        foreach (['plain' => $this->text, 'html' => $this->html] as $kind => $content) {
            $source .= "\r\n--$boundary\r\nContent-Type: text/$kind; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                . quoted_printable_encode(str_replace("\n", "\r\n", $content));
        }
        return "$source\r\n--$boundary--\r\n";
    }

    /** @param array{string, string} $who */
    private static function address(array $who): string
    {
        return $who[1] === '' ? $who[0] : self::words($who[1]) . " <{$who[0]}>";
    }

    /** Always encoded: what people wrote can then be nothing but their words. */
    private static function words(string $text): string
    {
        $encoded = [];
        do {
            $some = mb_strcut($text, 0, 45, 'UTF-8');
            $encoded[] = '=?utf-8?B?' . base64_encode($some) . '?=';
            $text = substr($text, strlen($some));
        } while ($text !== '');
        return implode("\r\n ", $encoded);
    }
}
