"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("script");
  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // ── the log: search, level, channels ──
  const list = find("#log");
  const rows = list ? all("#log > li[data-s]").map((row) => ({
    row, source: row.dataset.s, level: Number(row.dataset.l), t: Number(row.firstChild.textContent),
    text: row.lastChild.textContent.toLowerCase(),
  })) : [];
  const filters = find("#filters");

  function applyFilters() {
    const words = find("#search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const level = Number(find("#level").value);
    const sources = new Set(all("input[name=source]", filters).filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    for (const entry of rows) {
      const on = entry.level >= level && sources.has(entry.source) && words.every((word) => entry.text.includes(word));
      entry.row.classList.toggle("off", !on);
      shown += on ? 1 : 0;
    }
    find("#shown").textContent = `${shown === rows.length ? shown : `${shown} of ${rows.length}`} lines; times in seconds`;
  }

  if (filters && list) {
    let timer = 0;
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(applyFilters, 80); });
    applyFilters();
  }

  /** A link to a line that is filtered out shows it nevertheless; at once, also where nothing is drawn yet. */
  function uncovered() {
    const id = location.hash.slice(1);
    const target = id && document.getElementById(id);
    if (target) target.classList.remove("off");
    return target;
  }

  function reveal() {
    const target = uncovered();
    if (!target) return;
    if (list && list.contains(target)) {
      const box = list.getBoundingClientRect();
      list.scrollTop += target.getBoundingClientRect().top - box.top - box.height / 2;
      if (box.top < 0 || box.top > innerHeight - 120) find("#log-section").scrollIntoView();
    } else target.scrollIntoView({ block: "nearest", inline: "center" });
  }
  addEventListener("hashchange", reveal);
  if (location.hash) {
    uncovered();
    requestAnimationFrame(reveal);
  } else if (list && list.dataset.open) {
    const line = document.getElementById(list.dataset.open);
    line.classList.remove("off");
    const centre = (again) => {  // rows have their real height only once they were near: again
      const box = list.getBoundingClientRect();
      list.scrollTop += line.getBoundingClientRect().top - box.top - box.height / 2;
      if (again) requestAnimationFrame(() => centre(again - 1));
    };
    requestAnimationFrame(() => centre(3));
  }

  // ── lists: one tab stop each, arrow keys within ──
  function rove(box, selector, before, after) {
    const items = all(selector, box), visible = (item) => item.offsetParent !== null;
    if (!items.length) return;
    all("a, button", box).forEach((item) => { item.tabIndex = -1; });
    let current = items[0];
    const enter = (item, focus) => { current.tabIndex = -1; current = item; item.tabIndex = 0; if (focus) item.focus(); };
    const opened = box.dataset.open && find("a", document.getElementById(box.dataset.open));
    enter(opened || current, false);
    box.removeAttribute("tabindex");
    box.addEventListener("focusin", (event) => { const item = event.target.closest(selector); if (item) enter(item, false); });
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const shown = items.filter(visible), at = shown.indexOf(current);
      const to = { [before]: at - 1, [after]: at + 1, Home: 0, End: shown.length - 1, PageUp: at - 20, PageDown: at + 20 }[event.key];
      if (to === undefined || !shown.length) return;
      event.preventDefault();
      enter(shown[Math.min(Math.max(to, 0), shown.length - 1)], true);
    });
  }
  if (list) rove(list, "li > a:first-child", "ArrowUp", "ArrowDown");
  all(".film").forEach((film) => rove(film, ".enlarge", "ArrowLeft", "ArrowRight"));

  // ── copying ──
  for (const button of all("button.copy")) button.addEventListener("click", async () => {
    const body = find("pre", button.parentElement);
    let copied = true;
    try { await navigator.clipboard.writeText(body.textContent); } catch {
      getSelection().selectAllChildren(body);
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Selected: press Ctrl-C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });

  // ── the timeline: one window of time for all lanes ──
  const timeline = find("#timeline");
  if (timeline) {
    const span = Number(timeline.dataset.span);
    let from = 0, to = span;
    const lanes = all("svg.ticks", timeline), bands = all(".band", timeline), scale = find("svg.scale", timeline);
    const area = () => scale.getBoundingClientRect();
    const percent = (t) => `${(t - from) / (to - from) * 100}%`;

    function draw() {
      for (const lane of lanes) lane.setAttribute("viewBox", `${from} 0 ${to - from} 1`);
      for (const band of bands) {
        const begin = Math.max(Number(band.dataset.from), from), end = Math.min(Number(band.dataset.to), to);
        const width = Math.max(0, end - begin), rect = find("rect", band), label = find("text", band);
        rect.setAttribute("x", percent(begin));
        rect.setAttribute("width", `${width / (to - from) * 100}%`);
        label.setAttribute("x", percent(begin + width / 2));
        label.textContent = width / (to - from) * area().width > band.dataset.name.length * 8 ? band.dataset.name : "";
      }
      let step = 10 ** Math.floor(Math.log10((to - from) / 8));
      for (const factor of [2, 2.5, 2]) if ((to - from) / step > 10) step *= factor;
      scale.textContent = "";
      const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
      for (let n = Math.ceil(from / step - 1e-9); n * step <= to; n++) {
        const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
        text.setAttribute("x", percent(n * step));
        text.setAttribute("y", "14");
        if ((n * step - from) / (to - from) > 0.96) text.setAttribute("class", "end");
        text.textContent = n === 0 ? "0" : `${(n * step).toFixed(digits)} s`;
        scale.append(text);
      }
    }

    function show(begin, end) {
      const width = Math.min(Math.max(end - begin, 0.002), span);
      from = Math.min(Math.max(begin, 0), span - width);
      to = from + width;
      draw();
    }
    function zoom(factor, centre = (from + to) / 2) {
      show(centre - (centre - from) * factor, centre + (to - centre) * factor);
    }
    const moves = {
      in: () => zoom(0.5), out: () => zoom(2), all: () => show(0, span),
      left: () => show(from - (to - from) / 4, to - (to - from) / 4),
      right: () => show(from + (to - from) / 4, to + (to - from) / 4),
    };
    for (const button of all("button[data-zoom]")) button.addEventListener("click", () => moves[button.dataset.zoom]());
    const keys = { "+": "in", "=": "in", "-": "out", "0": "all", ArrowLeft: "left", ArrowRight: "right" };
    timeline.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      moves[keys[event.key]]();
    });

    const bySource = new Map();
    for (const entry of rows) {
      if (!bySource.has(entry.source)) bySource.set(entry.source, []);
      bySource.get(entry.source).push(entry);
    }
    function nearest(source, t) {
      let best = null;
      for (const entry of bySource.get(source) || []) if (!best || Math.abs(entry.t - t) < Math.abs(best.t - t)) best = entry;
      return best;
    }
    const cursor = document.createElement("div"), range = document.createElement("div"), tip = find("#tip");
    cursor.className = "cursor"; range.className = "range";
    cursor.hidden = range.hidden = true;
    timeline.append(cursor, range);
    const timeAt = (x) => { const box = area(); return from + (Math.min(Math.max(x, box.left), box.right) - box.left) / box.width * (to - from); };
    const place = (element, x) => { element.style.left = `${x - timeline.getBoundingClientRect().left}px`; };
    let start = null;

    timeline.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && event.clientX >= area().left) start = event.clientX;
    });
    timeline.addEventListener("pointermove", (event) => {
      const box = area();
      if (event.clientX < box.left || event.clientX > box.right) { cursor.hidden = tip.hidden = true; return; }
      cursor.hidden = tip.hidden = false;
      place(cursor, event.clientX);
      if (start !== null && Math.abs(event.clientX - start) > 4) {
        range.hidden = false;
        place(range, Math.min(start, event.clientX));
        range.style.width = `${Math.abs(event.clientX - start)}px`;
      }
      const t = timeAt(event.clientX), lane = event.target.closest(".lane[data-source]");
      const entry = lane && nearest(lane.dataset.source, t);
      const close = entry && Math.abs(entry.t - t) / (to - from) * box.width < 12;
      tip.textContent = close ? `${entry.t.toFixed(3)} s  ${entry.row.lastChild.textContent.slice(0, 300)}` : `${t.toFixed(3)} s`;
      tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8)}px`;
    });
    addEventListener("pointerup", (event) => {
      if (start === null) return;
      const begin = start;
      start = null;
      range.hidden = true;
      if (Math.abs(event.clientX - begin) > 4) {
        const [a, b] = [timeAt(begin), timeAt(event.clientX)].sort((x, y) => x - y);
        show(a, b);
        return;
      }
      const lane = event.target.closest && event.target.closest(".lane[data-source]");
      const entry = lane && nearest(lane.dataset.source, timeAt(event.clientX));
      if (entry) location.hash = entry.row.id;
    });
    timeline.addEventListener("pointerleave", () => { cursor.hidden = tip.hidden = true; });
    timeline.addEventListener("dblclick", () => moves.all());
    timeline.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event.clientX));
    }, { passive: false });
    addEventListener("resize", draw);
    draw();
  }

  // ── screens, enlarged ──
  const dialog = find("#screen");
  if (dialog) {
    const frames = all(".film > li");
    let current = 0;
    function enlarge(index) {
      current = (index + frames.length) % frames.length;
      const picture = find(".frame", frames[current]).firstChild.cloneNode(true);
      find("#screen-body").replaceChildren(picture);
      find("#screen-caption").textContent = `${frames[current].dataset.t} s  ·  ${current + 1} of ${frames.length}`;
      if (!dialog.open) dialog.showModal();
    }
    frames.forEach((frame, index) => find(".frame", frame).addEventListener("click", () => enlarge(index)));
    find("#screen-before").addEventListener("click", () => enlarge(current - 1));
    find("#screen-after").addEventListener("click", () => enlarge(current + 1));
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") enlarge(current - 1);
      if (event.key === "ArrowRight") enlarge(current + 1);
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }

  // ── tables ──
  for (const table of all("table.sortable")) {
    const body = find("tbody", table);
    all("th", table).forEach((head, column) => {
      head.tabIndex = 0;
      const sort = () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of all("th", table)) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const value = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent;
        const numeric = head.classList.contains("number");
        const order = (a, b) => numeric ? Number(value(a)) - Number(value(b)) : value(a).localeCompare(value(b));
        body.append(...[...body.rows].sort((a, b) => (up ? 1 : -1) * order(a, b)));
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
    });
  }

  addEventListener("keydown", (event) => {
    const search = find("#search");
    if (event.key === "/" && search && !/^(?:INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      search.focus();
      search.scrollIntoView({ block: "center" });
    }
  });
})();
