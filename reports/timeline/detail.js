"use strict";
// Beside the timeline: all that is known of the selected item, and everything in order, as text.
class Detail {
  constructor(timeline, plot) {
    this.timeline = timeline;
    this.plot = plot;
    this.panel = element("div", {class: "panel", id: "selection", "aria-label": "Selected item", role: "region"});
    this.list = element("div", {class: "list", role: "listbox", tabindex: "0", "aria-label": "All items in order", id: "events"});
    this.space = element("div", {class: "space", role: "presentation"});
    this.list.append(this.space);
    this.count = element("span", {class: "count"});
    this.root = element("aside", {class: "detail", "aria-label": "Details"}, this.panel,
        element("h3", {}, "In order ", this.count), this.list);
    this.list.addEventListener("scroll", () => this.drawList());
    this.list.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-item]");
      if (row) this.plot.select(Number(row.dataset.item));
    });
    this.observer = new ResizeObserver(() => this.drawList());
    this.observer.observe(this.list);
    this.show(null);
  }

  close() { this.observer.disconnect(); }

  show(index) {
    this.selected = index;
    if (index === null) {
      this.panel.replaceChildren(element("p", {class: "quiet"}, "Select an item to see all that is known of it. ",
          element("kbd", {}, "n"), " leads to what failed, ", element("kbd", {}, "?"), " lists the keys."));
    } else {
      this.panel.replaceChildren(...this.describe(index));
    }
    if (this.items) this.reveal();
  }

  describe(index) {
    const item = this.timeline.items[index];
    const lane = this.timeline.laneOf(index);
    const rows = [["at", Format.exact(item[BEGIN])]];
    if (isBar(item)) {
      rows.push([item[OPEN] ? "for at least" : "for", Format.duration(item[END] - item[BEGIN])]);
      if (!item[OPEN]) rows.push(["until", Format.exact(item[END])]);
    }
    rows.push(["calendar", Format.wall(this.timeline.origin + item[BEGIN])]);
    const before = this.before(index);
    if (before !== null) rows.push(["after the one before", Format.duration(item[BEGIN] - this.timeline.items[before][BEGIN])]);
    for (const shade of this.timeline.shades) {
      if (item[BEGIN] < shade.begin) continue;
      rows.push([`since ${shade.label}`, Format.duration(item[BEGIN] - shade.begin)]);
      if (!shade.open && item[BEGIN] >= shade.end) rows.push([`since ${shade.label} was healed`, Format.duration(item[BEGIN] - shade.end)]);
    }
    const facts = this.timeline.facts(index).filter(([, value]) => value !== this.timeline.label(index));
    const pair = ([key, value]) => element("div", {}, element("dt", {}, key.replaceAll("_", " ")), element("dd", {}, value));
    return [
      element("p", {class: "where"}, `${lane.group} · ${lane.name}`),
      element("h3", {}, this.timeline.label(index)),
      element("dl", {}, rows.map(pair)), facts.length ? element("dl", {class: "facts"}, facts.map(pair)) : null,
      element("p", {class: "quiet"}, `line ${item[LINE]} of journal.jsonl`),
    ].filter(Boolean);
  }

  // The item of the same lane, row and look that began before: attempts and retries are read by their distance.
  before(index) {
    const item = this.timeline.items[index];
    const list = this.timeline.laneOf(index).items;
    for (let n = list.indexOf(index) - 1; n >= 0; --n) {
      const other = this.timeline.items[list[n]];
      if (other[ROW] === item[ROW] && isBar(other) === isBar(item)) return list[n];
    }
    return null;
  }

  // --- everything in order

  refresh() {
    const lanes = new Set(this.plot.places.filter((p) => p.lane).map((p) => p.lane.index));
    this.items = [];
    for (let i = 0; i < this.timeline.items.length; ++i) {
      if (lanes.has(this.timeline.items[i][LANE]) && this.timeline.shown(i)) this.items.push(i);
    }
    this.count.textContent = this.items.length.toLocaleString("en");
    this.space.style.height = `${this.items.length * Detail.ROW}px`;
    this.drawList();
  }

  drawList() {
    if (!this.items) return;
    const first = Math.max(0, Math.floor(this.list.scrollTop / Detail.ROW) - 4);
    const last = Math.min(this.items.length, first + Math.ceil(this.list.clientHeight / Detail.ROW) + 10);
    const rows = [];
    for (let n = first; n < last; ++n) {
      const index = this.items[n];
      const item = this.timeline.items[index];
      const lane = this.timeline.laneOf(index);
      rows.push(element("div", {
        class: `row tone-${item[TONE]}`, role: "option", id: `item-${index}`, "data-item": index, style: `top:${n * Detail.ROW}px`,
        "aria-selected": String(index === this.selected), "aria-setsize": this.items.length, "aria-posinset": n + 1},
        element("span", {class: "when"}, Format.clock(item[BEGIN], 1000)), element("span", {class: "lane"}, lane.name),
        element("span", {class: "what"}, this.timeline.label(index))));
    }
    this.space.replaceChildren(...rows);
    const shown = this.selected !== null && byId(`item-${this.selected}`);
    if (shown) this.list.setAttribute("aria-activedescendant", shown.id); else this.list.removeAttribute("aria-activedescendant");
  }

  position() {
    let low = 0, high = this.items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.items[middle] < this.selected) low = middle + 1; else high = middle;
    }
    return low < this.items.length && this.items[low] === this.selected ? low : -1;
  }

  reveal() {
    const at = this.selected === null ? -1 : this.position();
    if (at >= 0) {
      const y = at * Detail.ROW;
      if (y < this.list.scrollTop || y > this.list.scrollTop + this.list.clientHeight - Detail.ROW)
        this.list.scrollTop = y - this.list.clientHeight / 2;
    }
    this.drawList();
  }

  key(event) {
    const by = {ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -Infinity, End: Infinity}[event.key];
    if (by === undefined) {
      if (event.key === "Enter" && this.selected !== null) this.plot.zoomTo(this.selected);
      return;
    }
    event.preventDefault();
    if (this.items.length === 0) return;
    const from = this.selected === null ? (by > 0 ? -1 : this.items.length) : this.position();
    const at = Math.max(0, Math.min(this.items.length - 1, from + by));
    this.plot.select(this.items[at]);
  }
}
Detail.ROW = 22;
