// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright: The Archipel contributors
//
// What the form does beyond HTML: says whether an address is free, and works a moment for the request.
// Whatever fails here, the form is sent as it is, and the receiver asks to confirm it.
'use strict';

(() => {
  const form = document.querySelector('form');
  const address = form.elements.namedItem('address');
  const said = document.getElementById('address-state');
  const status = document.getElementById('send-state');
  let timer = 0;
  let asked = 0;

  const slugOf = (text) => text.trim().toLowerCase().normalize('NFKD').replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-').replace(/^[-0-9]+|-+$/g, '').slice(0, 26);

  const say = (state, slug) => {
    said.dataset.state = state;
    said.textContent = state ? said.getAttribute(`data-${state}`).replace('{slug}', slug) : '';
  };

  const look = async () => {
    const slug = slugOf(address.value);
    const number = ++asked;
    if (!slug) {
      say('', '');
      return;
    }
    try {
      const answer = await (await fetch(`/address?slug=${encodeURIComponent(slug)}`)).json();
      if (number === asked) {
        say(answer.free ? 'free' : 'taken', slug);
      }
    } catch {
      say('', '');
    }
  };

  address.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(look, 500);
  });

  const bitsOf = (digest) => {
    const first = new DataView(digest).getUint32(0);
    return Math.clz32(first);
  };

  const solve = async ({ task, bits }) => {
    const encoder = new TextEncoder();
    for (let number = 0; ; number += 1) {
      const digest = await crypto.subtle.digest('SHA-256', encoder.encode(`${task}:${number}`));
      if (bitsOf(digest) >= bits) {
        return String(number);
      }
    }
  };

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = form.querySelector('button');
    button.disabled = true;
    status.textContent = status.dataset.busy;
    try {
      const given = await (await fetch('/task')).json();
      form.elements.namedItem('answer').value = await solve(given);
      form.elements.namedItem('task').value = given.task;
    } catch {
      // The receiver asks to confirm instead.
    }
    // Who comes back finds a button that works.
    button.disabled = false;
    form.submit();
  });
})();
