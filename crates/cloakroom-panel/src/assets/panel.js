"use strict";
(() => {
  const base = document.body.dataset.base;
  const list = document.getElementById("requests");
  const live = document.getElementById("live");
  const help = document.getElementById("help");
  const shown = () => document.getElementById("shown");

  // Times are the reader's own.
  const localize = (root) => {
    for (const time of root.querySelectorAll("time[data-at]")) {
      const at = new Date(Number(time.dataset.at));
      const millis = String(at.getMilliseconds()).padStart(3, "0");
      time.textContent = at.toLocaleTimeString([], { hour12: false }) + "." + millis;
      time.title = at.toString();
    }
  };
  localize(document);

  document.getElementById("help-button").addEventListener("click", () => help.showModal());

  if (!list) {
    addEventListener("keydown", (event) => {
      if (event.key === "?" && !isTyping(event)) help.showModal();
    });
    return;
  }

  const filter = document.getElementById("filter");
  const words = filter.elements.path;
  const namespace = filter.elements.namespace;
  const empty = document.getElementById("empty");
  const count = document.getElementById("shown-count");
  const capacity = Number(list.dataset.capacity);
  // Whether the newest request is shown, whichever that is.
  let follows = list.dataset.follows === "true";

  const rows = () => [...list.children];
  const visible = () => rows().filter((row) => !row.hidden);
  const isCurrent = (row) => row.firstElementChild.hasAttribute("aria-current");

  function isTyping(event) {
    return event.ctrlKey || event.metaKey || event.altKey || help.open
      || event.target.closest("input, select, textarea") !== null;
  }

  // The same rule as the server's: every word is in the text, and the namespace was touched.
  function applyFilter() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows()) {
      const text = row.dataset.text.toLowerCase();
      const touched = row.dataset.namespaces.split(" ");
      row.hidden = !wanted.every((word) => text.includes(word))
        || (namespace.value !== "" && !touched.includes(namespace.value));
    }
    const [some, all] = [visible().length, list.children.length];
    empty.hidden = some > 0;
    count.textContent = some === all ? String(some) : `${some} of ${all}`;
  }

  function fragment(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    localize(template.content);
    return template.content;
  }

  function mark(number) {
    for (const row of rows()) {
      const link = row.firstElementChild;
      if (row.dataset.number === number) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  // A page of the panel. Nothing when the program is away; when it is back it has forgotten
  // everything, and all that is shown here is of another run.
  const run = (page) => page.querySelector("input[name=token]")?.value;
  async function load(address, form) {
    const asked = form ? { method: "POST", body: form } : { headers: { accept: "text/html" } };
    const response = await fetch(address, asked).catch(() => null);
    const text = await response?.text().catch(() => null);
    if (text == null) return null;
    const page = new DOMParser().parseFromString(text, "text/html");
    if (page.getElementById("requests") === null) return null;
    if (run(page) === run(document)) return page;
    location.href = base + "/";
    return null;
  }

  // Puts a request in the place of the one that is shown: the server renders it, as a whole page.
  let turn = 0;
  async function show(address, form) {
    const mine = ++turn;
    const page = await load(address, form);
    if (mine !== turn || page === null) return;
    const next = page.getElementById("shown");
    localize(next);
    shown().replaceWith(document.adoptNode(next));
    renew(page);
    document.title = page.title;
    mark(shown().dataset.number);
  }

  // Of those that the filter lets through.
  const newest = () => visible()[0]?.firstElementChild;
  const showNewest = () => show(newest()?.href ?? base + "/");

  // The number of findings, as the newest page has it.
  function renew(page) {
    const nav = page.querySelector(".bar nav");
    if (nav !== null) document.querySelector(".bar nav").replaceWith(document.adoptNode(nav));
  }

  async function open(link) {
    follows = false;
    mark(link.parentElement.dataset.number);
    link.scrollIntoView({ block: "nearest" });
    history.pushState(null, "", link.href);
    document.body.className = "one";
    await show(link.href);
    if (matchMedia("(max-width: 52rem)").matches) scrollTo(0, 0);
  }

  function step(by) {
    const all = visible();
    const at = all.findIndex(isCurrent);
    const next = all[at === -1 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)];
    if (!next) return;
    open(next.firstElementChild);
    // Whoever walks through the list with the focus in it keeps it there.
    if (list.contains(document.activeElement)) next.firstElementChild.focus();
  }

  function follow() {
    follows = true;
    history.pushState(null, "", base + "/");
    list.scrollTop = 0;
    showNewest();
  }

  list.addEventListener("click", (event) => {
    const link = event.target.closest("a.request");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(link);
  });
  // What somebody looks into does not change under their eyes.
  document.addEventListener("toggle", (event) => {
    if (shown().contains(event.target)) follows = false;
  }, true);
  document.addEventListener("focusin", (event) => {
    if (shown().contains(event.target)) follows = false;
  });
  addEventListener("popstate", () => {
    follows = location.pathname === base + "/";
    document.body.className = follows ? "many" : "one";
    if (follows) showNewest();
    else show(location.href);
  });
  // A peek puts what it found into the page, which stays where it is.
  document.addEventListener("submit", async (event) => {
    if (!event.target.matches("form.peek")) return;
    event.preventDefault();
    follows = false;
    const at = shown().scrollTop;
    await show(event.target.action, new URLSearchParams(new FormData(event.target, event.submitter)));
    shown().scrollTop = at;
  });
  filter.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("input", applyFilter);
  document.getElementById("filter-button").hidden = true;

  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target === words) {
      words.value = "";
      applyFilter();
      words.blur();
      return;
    }
    if (isTyping(event)) return;
    const arrows = list.contains(document.activeElement) || document.activeElement === document.body;
    if (event.key === "j" || (event.key === "ArrowDown" && arrows)) step(1);
    else if (event.key === "k" || (event.key === "ArrowUp" && arrows)) step(-1);
    else if (event.key === "n") follow();
    else if (event.key === "/") words.focus();
    else if (event.key === "?") help.showModal();
    else return;
    event.preventDefault();
  });

  // New requests, as they come.
  const put = (html) => {
    const row = fragment(html).firstElementChild;
    const old = rows().find((other) => other.dataset.number === row.dataset.number);
    if (old) {
      if (isCurrent(old)) row.firstElementChild.setAttribute("aria-current", "true");
      const hadFocus = old.contains(document.activeElement);
      old.replaceWith(row);
      if (hadFocus) row.firstElementChild.focus();
    } else {
      row.classList.add("fresh");
      const below = rows().find((other) => Number(other.dataset.number) < Number(row.dataset.number));
      list.insertBefore(row, below ?? null);
      while (list.children.length > capacity) list.lastElementChild.remove();
    }
    applyFilter();
    return row;
  };
  const feed = new EventSource(base + "/feed");
  const state = (name, text) => {
    live.className = name;
    live.textContent = text;
  };
  // What has come before the feed began, or while it was lost, is in the list. Rows that are the
  // same stay, and the focus with them; so does what comes while the list is fetched.
  async function resync() {
    const number = (row) => Number(row?.dataset.number ?? 0);
    const before = number(list.firstElementChild);
    const page = await load(base + "/");
    if (page === null) return;
    const kept = new Set();
    for (const row of page.getElementById("requests").children) {
      kept.add(row.dataset.number);
      const old = rows().find((other) => other.dataset.number === row.dataset.number);
      // Without a status at the end of its text it was under way.
      if (!old || old.dataset.text.endsWith(" ")) put(row.outerHTML);
    }
    for (const row of rows()) {
      if (!kept.has(row.dataset.number) && number(row) <= before) row.remove();
    }
    renew(page);
    applyFilter();
    if (follows && newest()?.parentElement.dataset.number !== shown().dataset.number) showNewest();
  }
  // A feed ends now and then and begins again by itself: only a longer silence is worth a word.
  let silence;
  feed.addEventListener("open", () => {
    clearTimeout(silence);
    state("on", "live");
    resync();
  });
  feed.addEventListener("error", () => {
    clearTimeout(silence);
    silence = setTimeout(() => state("off", "not connected"), 2000);
  });
  feed.addEventListener("began", (event) => put(event.data));
  feed.addEventListener("ended", (event) => {
    const row = put(event.data);
    const isShown = shown().dataset.number === row.dataset.number;
    if (isShown || (follows && newest()?.parentElement === row)) show(row.firstElementChild.href);
  });
  // Some were missed, or all are gone.
  for (const name of ["missed", "cleared"]) feed.addEventListener(name, resync);
  applyFilter();
})();
