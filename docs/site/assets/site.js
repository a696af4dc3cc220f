// Copyright: The Archipel contributors
// SPDX-License-Identifier: AGPL-3.0-or-later

// What the theme leaves out for those who use a keyboard, or have pages read to them.
document.addEventListener("DOMContentLoaded", () => {
  const search = document.querySelector(".md-search");
  const field = document.querySelector(".md-search__input");
  if (search && field) {
    search.setAttribute("aria-label", field.getAttribute("aria-label") || field.placeholder);
  }
  for (const wide of document.querySelectorAll("pre > code, .md-typeset__scrollwrap")) {
    wide.tabIndex = 0;
  }
});
