// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors
// Runs in nginx (njs), before a command or a conversion reaches a Document Server. The server makes
// paths of the keys in them without looking for "..": whoever has one tenant's secret could delete
// what the shard keeps of all. What cannot be read beyond doubt is refused; whether a token is
// genuine is the server's to say.

const KEY = /^(?!\.+$)[0-9A-Za-z._=-]{1,128}$/;
const PART = /^[A-Za-z0-9_-]+$/;

// Whether every key in a value, however deep, is plain.
function plain(value) {
    if (value === null || typeof value !== 'object') {
        return true;
    }
    return Object.keys(value).every((name) => {
        const inner = value[name];
        if (name.toLowerCase() === 'key') {
            return typeof inner === 'string' && KEY.test(inner);
        }
        return plain(inner);
    });
}

// What a token says. Letters that decoders disagree about would show us another text than the server.
function payload(token) {
    const parts = String(token).split('.');
    if (parts.length !== 3 || !PART.test(parts[1])) {
        throw new Error('not a token');
    }
    return JSON.parse(Buffer.from(parts[1], 'base64url').toString());
}

// All that the server may read a key from: the body, a token in it, a token in the header.
function said(r) {
    const body = JSON.parse(r.requestText || '{}');
    if (body === null || typeof body !== 'object' || Array.isArray(body)) {
        throw new Error('not an object');
    }
    const found = [body];
    if (body.token !== undefined) {
        found.push(payload(body.token));
    }
    const header = r.headersIn['Authorization'];
    if (header !== undefined) {
        if (!header.startsWith('Bearer ')) {
            throw new Error('not a bearer');
        }
        found.push(payload(header.slice('Bearer '.length)));
    }
    return found;
}

function check(r) {
    try {
        if (r.headersIn['Content-Encoding'] === undefined && said(r).every(plain)) {
            r.internalRedirect('@onlyoffice_server');
            return;
        }
    } catch (error) {
        // Falls through: what was not understood is not led on.
    }
    r.return(400);
}

export default {check};
