"use strict";
// Sorts small tables, draws and filters long ones, folds the contents, switches the scheme. Every text is
// set as text, never as markup; what the location says is used only where the page knows it. A table's
// state stands in the location: #table-scores?sort=score&down=1&language=Danish&page=2

const PAGE_ROWS = 12;
const wide = matchMedia("(min-width: 68rem)");
const dark = matchMedia("(prefers-color-scheme: dark)");

/** Makes an element with text and attributes. */
function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Reads the location: the part of the page it names, and the state of that part. */
function located() {
  const [name, state] = location.hash.slice(1).split("?", 2);
  try {
    return { name: decodeURIComponent(name), state: new URLSearchParams(state ?? "") };
  } catch {
    return { name: "", state: new URLSearchParams() }; // a broken escape in a location typed by hand
  }
}

/** Writes a table's state into the location, without a new step in the history. */
function locate(name, state) {
  for (const [key, value] of [...state]) if (!value) state.delete(key);
  history.replaceState(null, "", "#" + name + (state.size ? "?" + state : ""));
}

/** Gives a table the state that the location has for it, now and when the location changes. */
function restoring(box, restore) {
  const follow = () => { if (located().name === box.id) restore(located().state); };
  addEventListener("hashchange", follow);
  follow();
}

/** Compares two keys of one column; what is missing (null) comes last in either direction. */
function order(a, b, down) {
  if (a === null || b === null) return (a === null) - (b === null);
  const found = typeof a === "number" && typeof b === "number" ? a - b : collate(String(a), String(b));
  return down ? -found : found;
}
const collate = new Intl.Collator("en", { numeric: true }).compare;

/** Puts a sort button into a header cell; a press calls back. */
function sortable(head, press) {
  const button = make("button", head.textContent, { type: "button" });
  head.replaceChildren(button);
  button.addEventListener("click", press);
}

/** Says in the header which column orders the rows. */
function mark(heads, sorted, down) {
  heads.forEach((head, at) => {
    if (at === sorted) head.setAttribute("aria-sort", down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
}

/** What a press on a column's header leads to: up, down, and the order that the table came in. */
function pressed(view, column) {
  if (view.sort !== column) return { sort: column, down: false };
  return view.down ? { sort: -1, down: false } : { sort: column, down: true };
}

// ---- small tables: the rows are in the page

/** Reads what a cell sorts by: its number (1,234 or −0.5 or 1.2M), else its text; null for none. */
function key(cell) {
  const text = (cell?.firstChild?.textContent ?? "").trim();
  if (text === "" || text === "–") return null;
  const found = /^[<>≈≤≥ ]*([−+-]?[\d,]*\.?\d+(?:e[+-]?\d+)?) ?([kMGBT]?)(?![a-z])/.exec(text);
  if (!found) return text.toLowerCase();
  const scale = { k: 1e3, M: 1e6, G: 1e9, B: 1e9, T: 1e12 }[found[2]] ?? 1;
  return Number(found[1].replaceAll(",", "").replace("−", "-")) * scale;
}

/** Makes a table of the page sortable by its headers. */
function startGrid(box) {
  const body = box.querySelector("tbody");
  const rows = [...body.rows];
  if (rows.length < 3) return;
  const heads = [...box.querySelectorAll("thead th")];
  let view = { sort: -1, down: false };
  const show = (next) => {
    view = next;
    const keys = new Map(rows.map((row) => [row, view.sort < 0 ? 0 : key(row.cells[view.sort])]));
    body.append(...[...rows].sort((a, b) => order(keys.get(a), keys.get(b), view.down)));
    mark(heads, view.sort, view.down);
  };
  heads.forEach((head, at) => sortable(head, () => {
    show(pressed(view, at));
    locate(box.id, new URLSearchParams(view.sort < 0 ? {} : { sort: at, down: view.down ? 1 : "" }));
  }));
  restoring(box, (state) => {
    const sort = Number(state.get("sort") ?? -1);
    show({ sort: sort in heads ? sort : -1, down: state.has("down") });
  });
}

// ---- long tables: the rows are data

/** Expands numbers packed as runs (value, length, value, length), or as places, one or two letters each. */
function unpack(packed, letters) {
  if (Array.isArray(packed)) return packed;
  const values = [];
  if (packed.runs) {
    for (let at = 0; at < packed.runs.length; at += 2)
      for (let n = packed.runs[at + 1]; n > 0; n--) values.push(packed.runs[at]);
    return values;
  }
  const { distinct, short, text } = packed;
  const places = new Map([...letters].map((letter, place) => [letter, place]));
  for (let at = 0; at < text.length; at++) {
    let place = places.get(text[at]);
    if (place >= short) place = short + (place - short) * letters.length + places.get(text[++at]);
    values.push(distinct[place]);
  }
  return values;
}

/** Writes a number given in units of its last digit. */
function written(value, digits) {
  const number = value / 10 ** digits;
  const text = digits ? number.toFixed(digits) : number.toLocaleString("en");
  return text.replace("-", "−");
}

/** Fills a cell of a long table with one row's value. */
function fill(cell, column, row, table) {
  if (column.words) {
    const [own, tag] = column.own?.[column.codes[row]] ?? [];
    cell.append(column.words[column.codes[row]] || "–");
    if (own) cell.append(" ", make("small", own, { lang: tag }));
    return;
  }
  const value = column.values[row];
  cell.append(value === null ? "–" : written(value, column.digits));
  if (value === null) return;
  cell.dataset.of = `${table.table}:${table.numbers?.[row] ?? row}:${column.of}`;
  if (!column.below || column.below[row] === null) return;
  const [low, high] = [value - column.below[row], value + column.above[row]];
  const between = low < 0 ? " to " : "–";
  cell.append(make("small", written(low, column.digits) + between + written(high, column.digits)));
}

/** Starts a long table: search, filters, headers, pages. */
function startExplorer(box) {
  const data = JSON.parse(box.querySelector("script").textContent);
  const columns = data.columns;
  for (const column of columns)
    for (const part of ["codes", "values", "below", "above"])
      if (column[part]) column[part] = unpack(column[part], data.letters);
  let number = -1;
  if (data.steps) data.numbers = unpack(data.steps, data.letters).map((step) => number += step);
  const texts = columns.filter((column) => column.words);
  const part = (name) => box.querySelector(name);
  const controls = part(".controls"), head = part("thead tr"), body = part("tbody"), pager = part(".pager");

  const field = (title, input) => {
    input.id = `${box.id}-${controls.childElementCount}`;
    const pair = make("div");
    pair.append(make("label", title, { for: input.id }), input);
    controls.append(pair);
    return input;
  };
  const search = field("Search", make("input", "", { type: "search", autocomplete: "off", spellcheck: "false" }));
  const filters = texts.filter((column) => column.filter).map((column) => {
    const select = field(column.title, make("select"));
    select.append(make("option", "all", { value: "" }));
    const codes = [...column.words.keys()].sort((a, b) => collate(column.words[a], column.words[b]));
    for (const code of codes) {
      const own = column.own?.[code];
      const word = column.words[code] || "not known";
      select.append(make("option", own ? `${word} (${own[0]})` : word, { value: code }));
    }
    return { column, select };
  });
  const reset = make("button", "Show all", { type: "button" });
  controls.append(reset);
  const back = make("button", "Previous", { type: "button" }), on = make("button", "Next", { type: "button" });
  const where = make("span");
  pager.append(back, where, on);

  let view = { sort: -1, down: false, page: 0 };
  let rows = [];
  const heads = columns.map((column, at) => {
    const cell = make("th", column.title, { scope: "col", class: column.words ? "word" : "number" });
    sortable(cell, () => change({ ...pressed(view, at), page: 0 }));
    head.append(cell);
    return cell;
  });

  /** Finds the rows that every filter and every word of the search lets through, in order. */
  function select() {
    const wanted = filters.filter(({ select }) => select.value !== "")
      .map(({ column, select }) => [column.codes, Number(select.value)]);
    const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean).map((term) => texts.map((column) => [
      column.codes,
      column.words.map((word, code) => `${word} ${column.own?.[code]?.[0] ?? ""}`.toLowerCase().includes(term)),
    ]));
    rows = [];
    for (let row = 0; row < data.n; row++)
      if (wanted.every(([codes, code]) => codes[row] === code)
        && terms.every((found) => found.some(([codes, has]) => has[codes[row]]))) rows.push(row);
    const column = columns[view.sort];
    if (!column) return;
    // Words are ordered once, not once a comparison.
    const ranks = column.words && rank(column.words);
    const keys = column.words ? column.codes.map((code) => ranks[code]) : column.values;
    rows.sort((a, b) => order(keys[a], keys[b], view.down) || a - b);
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(rows.length / PAGE_ROWS));
    view.page = Math.min(Math.max(0, view.page), pages - 1);
    const first = view.page * PAGE_ROWS;
    const lines = rows.slice(first, first + PAGE_ROWS).map((row) => {
      const line = make("tr");
      columns.forEach((column, at) => {
        const cell = make(at ? "td" : "th", "", { class: column.words ? "word" : "number" });
        if (!at) cell.scope = "row";
        fill(cell, column, row, data);
        line.append(cell);
      });
      return line;
    });
    body.replaceChildren(...lines);
    const count = (n) => n.toLocaleString("en");
    part(".shown").textContent = rows.length
      ? `Rows ${count(first + 1)} to ${count(first + lines.length)} of ${count(rows.length)}`
        + (rows.length < data.n ? ` (filtered from ${count(data.n)})` : "")
      : `No row matches; there are ${count(data.n)} in all`;
    where.textContent = `Page ${count(view.page + 1)} of ${count(pages)}`;
    back.disabled = view.page === 0;
    on.disabled = view.page === pages - 1;
    mark(heads, view.sort, view.down);
  }

  function change(next) {
    view = { ...view, ...next };
    select();
    draw();
    const state = new URLSearchParams({ q: search.value.trim() });
    for (const { column, select } of filters)
      if (select.value !== "") state.set(column.title, column.words[select.value]);
    if (view.sort >= 0) state.set("sort", columns[view.sort].title);
    if (view.down) state.set("down", "1");
    if (view.page) state.set("page", view.page + 1);
    locate(box.id, state);
  }

  search.addEventListener("input", () => change({ page: 0 }));
  for (const { select } of filters) select.addEventListener("change", () => change({ page: 0 }));
  reset.addEventListener("click", () => {
    search.value = "";
    for (const { select } of filters) select.value = "";
    change({ sort: -1, down: false, page: 0 });
  });
  back.addEventListener("click", () => change({ page: view.page - 1 }));
  on.addEventListener("click", () => change({ page: view.page + 1 }));
  select();
  draw();
  restoring(box, (state) => {
    search.value = state.get("q") ?? "";
    for (const { column, select } of filters) {
      const code = column.words.indexOf(state.get(column.title));
      select.value = code < 0 ? "" : code;
    }
    const sort = columns.findIndex((column) => column.title === state.get("sort"));
    view = { sort, down: sort >= 0 && state.has("down"), page: (parseInt(state.get("page"), 10) || 1) - 1 };
    select();
    draw();
  });
}

/** Gives every word its place among the words; none for an empty one, which comes last. */
function rank(words) {
  const sorted = [...words.keys()].sort((a, b) => collate(words[a], words[b]));
  const ranks = new Array(words.length);
  sorted.forEach((code, at) => { ranks[code] = words[code] === "" ? null : at; });
  return ranks;
}

// ---- the page around them

/** Goes where the location points, also into a folded table. */
function goto() {
  const target = document.getElementById(located().name);
  const folded = target?.closest("details");
  if (folded) folded.open = true;
  if (target && location.hash.includes("?")) target.scrollIntoView({ behavior: "instant" });
}

/** Folds the contents on a narrow page and marks the section in view. */
function startContents() {
  const contents = document.querySelector("nav details");
  const fold = () => { contents.open = wide.matches; };
  fold();
  wide.addEventListener("change", fold);
  contents.addEventListener("click", (event) => { if (event.target.closest("a")) fold(); });
  const links = new Map([...contents.querySelectorAll("a")].map((a) => [a.hash.slice(1), a]));
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) links.get(target.id)?.setAttribute("aria-current", "location");
      else links.get(target.id)?.removeAttribute("aria-current");
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  document.querySelectorAll("main > section").forEach((section) => seen.observe(section));
}

/** Switches between the light and the dark scheme until the page is left. */
function startTheme() {
  const button = document.getElementById("theme"), root = document.documentElement;
  const isDark = () => (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const name = () => { button.textContent = isDark() ? "Light scheme" : "Dark scheme"; };
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
  dark.addEventListener("change", name);
  button.hidden = false;
  name();
}

/** Lets the keyboard into what scrolls sideways, and only there. */
function startScrolling() {
  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  document.querySelectorAll(".scroll, .drawing").forEach((box) => watch.observe(box));
}

/** Unfolds everything for paper, and folds it again. */
function startPrint() {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of opened) details.open = false; });
}

document.querySelectorAll(".explorer").forEach(startExplorer);
document.querySelectorAll(".grid").forEach(startGrid);
startContents();
startTheme();
startPrint();
startScrolling();
addEventListener("hashchange", goto);
goto();
