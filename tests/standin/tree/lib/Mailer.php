<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** Hands a letter to the relay of the configuration, encrypted wherever that is offered, as Nextcloud does. */
final class Mailer
{
    private const SECONDS = 10;

    /** @var resource */
    private $stream;

    public function __construct(private Config $config)
    {
    }

    /** @throws \RuntimeException with what the relay said, or why it was not reached */
    public function send(Message $message): void
    {
        if ($this->config->text('mail_smtpmode', 'smtp') === 'null') {
            return;
        }
        $offered = $this->greet();
        if (in_array('STARTTLS', $offered, true)) {
            $this->say('STARTTLS', '220');
            $this->encrypt();
            $this->hello();
        }
        if ($this->config->flag('mail_smtpauth')) {
            $secret = "\0" . $this->config->text('mail_smtpname') . "\0" . $this->config->text('mail_smtppassword');
            $this->say('AUTH PLAIN ' . base64_encode($secret), '235');
        }
        $this->say("MAIL FROM:<{$message->from[0]}>", '250');
        $this->say("RCPT TO:<{$message->to[0]}>", '250');
        $this->say('DATA', '354');
        $this->say(preg_replace('/^\./m', '..', $message->source()) . '.', '250');
        fwrite($this->stream, "QUIT\r\n");
        fclose($this->stream);
    }

    /** @return list<string> what the relay offers */
    private function greet(): array
    {
        $secure = $this->config->text('mail_smtpsecure') === 'ssl' ? 'ssl' : 'tcp';
        $address = "$secure://" . $this->config->text('mail_smtphost', '127.0.0.1') . ':' . $this->config->text('mail_smtpport', '25');
        $context = stream_context_create((array)$this->config->get('mail_smtpstreamoptions', []));
        $stream = @stream_socket_client($address, $code, $why, self::SECONDS, STREAM_CLIENT_CONNECT, $context);
        if ($stream === false) {
            throw new \RuntimeException("Connection could not be established with host \"$address\": " . ($why ?: error_get_last()['message'] ?? ''));
        }
        $this->stream = $stream;
        stream_set_timeout($stream, self::SECONDS);
        $this->read('220');
        return $this->hello();
    }

    /** @return list<string> */
    private function hello(): array
    {
        $name = parse_url($this->config->text('overwrite.cli.url'), PHP_URL_HOST) ?: 'localhost';
        return array_map(static fn (string $line): string => explode(' ', substr($line, 4))[0], $this->say("EHLO $name", '250'));
    }

    private function encrypt(): void
    {
        $host = $this->config->text('mail_smtphost', '127.0.0.1');
        if (!isset(stream_context_get_options($this->stream)['ssl']['peer_name'])) {
            stream_context_set_option($this->stream, 'ssl', 'peer_name', $host);
        }
        if (@stream_socket_enable_crypto($this->stream, true, STREAM_CRYPTO_METHOD_TLS_CLIENT) !== true) {
            throw new \RuntimeException('Unable to connect with STARTTLS: ' . (error_get_last()['message'] ?? ''));
        }
    }

    /** @return list<string> the lines of the answer */
    private function say(string $line, string $wanted): array
    {
        fwrite($this->stream, "$line\r\n");
        return $this->read($wanted);
    }

    /** @return list<string> */
    private function read(string $wanted): array
    {
        $lines = [];
        do {
            $line = fgets($this->stream);
            if ($line === false) {
                throw new \RuntimeException('Connection to the relay has been closed unexpectedly.');
            }
            $lines[] = rtrim($line, "\r\n");
        } while (($line[3] ?? ' ') === '-');
        if (!str_starts_with($line, $wanted)) {
            throw new \RuntimeException("Expected response code \"$wanted\" but got \"" . implode(' ', $lines) . '".');
        }
        return $lines;
    }
}
