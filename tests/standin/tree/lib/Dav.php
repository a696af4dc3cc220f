<?php

// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors

declare(strict_types=1);

namespace Standin;

/** WebDAV on an account's files: what sync clients and the tests need of it. */
final class Dav
{
    private const NAMESPACES = ['DAV:' => 'd', 'http://owncloud.org/ns' => 'oc', 'http://nextcloud.org/ns' => 'nc', 'http://sabredav.org/ns' => 's'];
    private const METHODS = ['OPTIONS', 'GET', 'HEAD', 'PUT', 'DELETE', 'MKCOL', 'MOVE', 'COPY', 'PROPFIND'];

    private function __construct(private Server $server, private Files $files, private string $base, private string $path)
    {
    }

    public static function handle(Server $server, Web $web, string $target): void
    {
        if ($_SERVER['REQUEST_METHOD'] === 'OPTIONS') {
            header('Allow: ' . implode(', ', self::METHODS));
            header('DAV: 1, 3, extended-mkcol');
            return;
        }
        $uid = $web->account();
        if ($uid === null) {
            header('WWW-Authenticate: Basic realm="Nextcloud", charset="UTF-8"');
            throw new HttpError(401, 'NotAuthenticated', 'No public access to this resource., Username or password was incorrect');
        }
        if (preg_match('#^/(?:dav/files/([^/]+)|webdav)(/.*)?$#', $target, $parts) !== 1) {
            throw new HttpError(404, 'NotFound', 'File not found: ' . $target);
        }
        if ($parts[1] !== '' && rawurldecode($parts[1]) !== $uid) {
            throw new HttpError(404, 'NotFound', 'Principal with name ' . rawurldecode($parts[1]) . ' not found');
        }
        $base = '/remote.php' . ($parts[1] === '' ? '/webdav' : '/dav/files/' . $parts[1]);
        $dav = new self($server, new Files($server, $uid), $base, trim(rawurldecode($parts[2] ?? ''), '/'));
        $method = strtolower($_SERVER['REQUEST_METHOD']);
        if (!in_array(strtoupper($method), self::METHODS, true)) {
            throw new HttpError(405, 'MethodNotAllowed', 'This method is not supported here');
        }
        $dav->$method();
    }

    public static function error(HttpError $error): void
    {
        http_response_code($error->status);
        header('Content-Type: application/xml; charset=utf-8');
        $text = htmlspecialchars($error->getMessage(), ENT_XML1);
        echo "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\">\n"
            . "  <s:exception>Sabre\\DAV\\Exception\\{$error->sabre}</s:exception>\n  <s:message>$text</s:message>\n</d:error>\n";
    }

    private function get(): void
    {
        $this->mustExist($this->path);
        if ($this->files->isFolder($this->path)) {
            throw new HttpError(501, 'NotImplemented', 'GET is only implemented for File objects');
        }
        $entry = $this->files->entry($this->path);
        header('Content-Type: ' . $this->type($this->path));
        header("Content-Length: {$entry['size']}");
        header("ETag: \"{$entry['etag']}\"");
        header("OC-ETag: \"{$entry['etag']}\"");
        header('Last-Modified: ' . gmdate('D, d M Y H:i:s', $entry['mtime']) . ' GMT');
        if ($_SERVER['REQUEST_METHOD'] === 'GET') {
            readfile($this->files->disk($this->path));
        }
    }

    private function head(): void
    {
        $this->get();
    }

    private function put(): void
    {
        $this->parentMustExist($this->path);
        if ($this->files->isFolder($this->path)) {
            throw new HttpError(409, 'Conflict', 'PUT is not allowed on non-files.');
        }
        // Refused before a byte is written, as Nextcloud's quota plugin does.
        $length = (int)($_SERVER['HTTP_OC_TOTAL_LENGTH'] ?? $_SERVER['HTTP_X_EXPECTED_ENTITY_LENGTH'] ?? $_SERVER['CONTENT_LENGTH'] ?? 0);
        $free = $this->files->free();
        if ($length > $free) {
            throw new HttpError(507, 'InsufficientStorage', "Insufficient space in {$this->path}, $length required, $free available");
        }
        $isNew = !$this->files->exists($this->path);
        $this->server->locked($this->files->disk($this->path), fn () => $this->store());
        $this->server->accounts->tell($this->files->uid, 'files', $isNew ? 'file_created' : 'file_changed', $this->path);
        $entry = $this->files->entry($this->path);
        header("ETag: \"{$entry['etag']}\"");
        header("OC-ETag: \"{$entry['etag']}\"");
        header('OC-FileId: ' . $this->globalId($entry['fileid']));
        http_response_code($isNew ? 201 : 204);
    }

    private function store(): void
    {
        $disk = $this->files->disk($this->path);
        $part = $disk . '.ocTransferId' . random_int(1, PHP_INT_MAX) . '.part';
        $from = fopen('php://input', 'r');
        $to = @fopen($part, 'w');
        $written = $to === false ? false : @stream_copy_to_stream($from, $to);
        $stored = $written !== false && @fclose($to);
        $expected = (int)($_SERVER['CONTENT_LENGTH'] ?? $written);
        if ($stored && $written !== $expected) {
            // PHP had no room for what it read, or the line broke.
            @unlink($part);
            throw new HttpError(400, 'BadRequest', "Expected filesize of $expected bytes but read $written bytes");
        }
        if (!$stored || !rename($part, $disk)) {
            @unlink($part);
            throw new HttpError(500, 'Exception', 'Error while copying file to target location');
        }
        $this->files->remember($this->path);
    }

    private function mkcol(): void
    {
        $this->parentMustExist($this->path);
        if ($this->files->exists($this->path)) {
            throw new HttpError(405, 'MethodNotAllowed', 'The resource you tried to create already exists');
        }
        mkdir($this->files->disk($this->path), 0750);
        $this->files->remember($this->path);
        http_response_code(201);
    }

    private function delete(): void
    {
        $this->mustExist($this->path);
        if ($this->path === '') {
            throw new HttpError(403, 'Forbidden', 'The root cannot be deleted');
        }
        Files::removeTree($this->files->disk($this->path));
        $this->files->forget($this->path);
        $this->server->accounts->tell($this->files->uid, 'files', 'file_deleted', $this->path);
        http_response_code(204);
    }

    private function move(): void
    {
        $this->transfer(function (string $from, string $to): void {
            rename($this->files->disk($from), $this->files->disk($to));
            $this->files->forget($from);
        });
    }

    private function copy(): void
    {
        $this->transfer(function (string $from, string $to): void {
            foreach ($this->files->isFolder($from) ? Files::below($this->files->disk($from)) : [''] as $below) {
                $target = rtrim($this->files->disk($to) . '/' . $below, '/');
                is_dir(dirname($target)) || mkdir(dirname($target), 0750, true);
                copy(rtrim($this->files->disk($from) . '/' . $below, '/'), $target);
            }
        });
    }

    private function transfer(callable $do): void
    {
        $this->mustExist($this->path);
        $address = rawurldecode((string)parse_url($_SERVER['HTTP_DESTINATION'] ?? '', PHP_URL_PATH));
        $base = rawurldecode($this->base);
        if (!str_starts_with($address, $base . '/')) {
            throw new HttpError(403, 'Forbidden', 'The destination is not in this account');
        }
        $to = trim(substr($address, strlen($base)), '/');
        $this->parentMustExist($to);
        $replaces = $this->files->exists($to);
        if ($replaces && ($_SERVER['HTTP_OVERWRITE'] ?? 'T') === 'F') {
            throw new HttpError(412, 'PreconditionFailed', 'The destination node already exists, and the overwrite header is set to false');
        }
        if ($replaces) {
            Files::removeTree($this->files->disk($to));
        }
        $do($this->path, $to);
        $this->files->remember($to);
        http_response_code($replaces ? 204 : 201);
    }

    private function propfind(): void
    {
        $this->mustExist($this->path);
        $wanted = $this->wantedProperties((string)file_get_contents('php://input'));
        $depth = $_SERVER['HTTP_DEPTH'] ?? '1';
        $paths = [$this->path];
        if ($depth !== '0' && $this->files->isFolder($this->path)) {
            array_push($paths, ...$this->files->members($this->path));
        }
        $xml = new \XMLWriter();
        $xml->openMemory();
        $xml->startDocument('1.0');
        $xml->startElement('d:multistatus');
        foreach (self::NAMESPACES as $uri => $prefix) {
            $xml->writeAttribute("xmlns:$prefix", $uri);
        }
        foreach ($paths as $path) {
            $this->response($xml, $path, $wanted);
        }
        $xml->endElement();
        http_response_code(207);
        header('Content-Type: application/xml; charset=utf-8');
        echo $xml->outputMemory();
    }

    /** @return list<string> prefixed names; empty means the usual ones */
    private function wantedProperties(string $body): array
    {
        if (trim($body) === '') {
            return [];
        }
        $document = new \DOMDocument();
        if (!@$document->loadXML($body, LIBXML_NONET)) {
            throw new HttpError(400, 'BadRequest', 'The request body is not valid XML');
        }
        $names = [];
        foreach ($document->getElementsByTagNameNS('DAV:', 'prop') as $prop) {
            foreach ($prop->childNodes as $node) {
                if ($node instanceof \DOMElement) {
                    $names[] = (self::NAMESPACES[$node->namespaceURI] ?? 'x') . ':' . $node->localName;
                }
            }
        }
        return $names;
    }

    /** @param list<string> $wanted */
    private function response(\XMLWriter $xml, string $path, array $wanted): void
    {
        $known = $this->properties($path);
        $found = $wanted === [] ? array_filter($known, static fn ($name) => str_starts_with($name, 'd:'), ARRAY_FILTER_USE_KEY) : array_intersect_key($known, array_flip($wanted));
        $href = $this->base . '/' . implode('/', array_map('rawurlencode', explode('/', $path)));
        $xml->startElement('d:response');
        $xml->writeElement('d:href', rtrim($href, '/') . ($this->files->isFolder($path) ? '/' : ''));
        foreach (['200 OK' => $found, '404 Not Found' => array_fill_keys(array_diff($wanted, array_keys($known)), '')] as $status => $properties) {
            if ($properties === []) {
                continue;
            }
            $xml->startElement('d:propstat');
            $xml->startElement('d:prop');
            foreach (array_filter($properties, static fn ($name) => !str_starts_with($name, 'x:'), ARRAY_FILTER_USE_KEY) as $name => $value) {
                $xml->startElement($name);
                $name === 'd:resourcetype' ? $xml->writeRaw($value) : $xml->text($value);
                $xml->endElement();
            }
            $xml->endElement();
            $xml->writeElement('d:status', "HTTP/1.1 $status");
            $xml->endElement();
        }
        $xml->endElement();
    }

    /** @return array<string, string> */
    private function properties(string $path): array
    {
        $entry = $this->files->entry($path);
        $common = [
            'd:getlastmodified' => gmdate('D, d M Y H:i:s', $entry['mtime']) . ' GMT',
            'd:getetag' => "\"{$entry['etag']}\"",
            'oc:fileid' => (string)$entry['fileid'],
            'oc:id' => $this->globalId($entry['fileid']),
            'oc:size' => (string)$entry['size'],
            'oc:permissions' => $this->files->isFolder($path) ? 'RGDNVCK' : 'RGDNVW',
            'oc:owner-id' => $this->files->uid,
            'd:displayname' => $path === '' ? $this->files->uid : basename($path),
        ];
        if (!$this->files->isFolder($path)) {
            return $common + ['d:resourcetype' => '', 'd:getcontentlength' => (string)$entry['size'], 'd:getcontenttype' => $this->type($path)];
        }
        return $common + [
            'd:resourcetype' => '<d:collection/>',
            'd:quota-used-bytes' => (string)$this->files->used(),
            'd:quota-available-bytes' => $this->files->quota() === null ? '-3' : (string)$this->files->free(),
        ];
    }

    private function mustExist(string $path): void
    {
        if (!$this->files->exists($path)) {
            throw new HttpError(404, 'NotFound', "File with name //$path could not be located");
        }
    }

    private function parentMustExist(string $path): void
    {
        $parent = dirname($path) === '.' ? '' : dirname($path);
        if (!$this->files->isFolder($parent)) {
            throw new HttpError(409, 'Conflict', 'Files cannot be created in non-existent collections');
        }
    }

    private function globalId(int $fileId): string
    {
        return sprintf('%08d%s', $fileId, $this->server->config->text('instanceid'));
    }

    private function type(string $path): string
    {
        $types = ['txt' => 'text/plain;charset=UTF-8', 'md' => 'text/markdown;charset=utf-8', 'pdf' => 'application/pdf', 'png' => 'image/png', 'jpg' => 'image/jpeg'];
        return $types[strtolower(pathinfo($path, PATHINFO_EXTENSION))] ?? 'application/octet-stream';
    }
}
