"use strict";
// The timeline as a thing to look at: lanes with their names, the clock above, the whole run in a strip. It keeps the window
// (which time is in view), what is selected and which lanes are hidden, and draws anew when one of these changes.
class Plot {
  constructor(timeline, name, onSelect, onFilter) {
    this.timeline = timeline;
    this.onSelect = onSelect;
    this.onFilter = onFilter;
    this.view = this.whole();
    this.state = {hover: null, selected: null, hoverTime: null};
    this.hiddenGroups = new Set();
    this.printing = false;
    this.frame = 0;
    this.build(name);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.scroller);
    this.place();
  }

  close() {
    this.observer.disconnect();
    cancelAnimationFrame(this.frame);
  }

  // --- parts

  build(name) {
    const groups = [...new Set(this.timeline.lanes.map((lane) => lane.group))];
    this.search = element("input", {type: "search", id: "filter", placeholder: "Filter", autocomplete: "off", spellcheck: "false",
                                    "aria-label": "Filter the timeline by text", oninput: () => this.applyFilter()});
    this.found = element("span", {class: "found", role: "status"});
    this.chips = groups.map((group) => element("button", {
      type: "button", class: "chip", "aria-pressed": "true", "data-group": group,
      onclick: (event) => this.toggleGroup(group, event.currentTarget)}, group));
    this.restore = element("button", {type: "button", class: "chip", hidden: true, onclick: () => this.showAll()});
    const tool = (sign, label, act) => element("button", {type: "button", class: "tool", "aria-label": label, title: label, onclick: act}, sign);
    this.tools = element("div", {class: "tools", role: "toolbar", "aria-label": "Timeline"},
        this.search, this.found, element("div", {class: "chips", role: "group", "aria-label": "Lanes shown"}, this.chips, this.restore),
        element("div", {class: "zoom", role: "group", "aria-label": "Zoom"},
            tool("−", "Zoom out", () => this.zoom(1.6)), tool("+", "Zoom in", () => this.zoom(1 / 1.6)),
            tool("Fit", "Show all of it", () => this.fit())));
    this.strip = element("canvas", {class: "strip", "aria-hidden": "true"});
    this.axis = element("canvas", {class: "axis", "aria-hidden": "true"});
    this.canvas = element("canvas", {"aria-hidden": "true"});
    const n = this.timeline;
    this.surface = element("div", {
      class: "surface", tabindex: "0", role: "application", "aria-roledescription": "timeline", id: "surface",
      "aria-label": `Timeline of ${name}: ${Format.plural(n.items.length, "item")} in ${Format.plural(n.lanes.length, "lane")} over ${
          Format.duration(n.end)}. Arrow keys go from item to item, plus and minus zoom.`}, this.canvas);
    this.labels = element("div", {class: "labels"});
    this.scroller = element("div", {class: "lanes"}, this.labels, this.surface);
    this.root = element("div", {class: "plot"}, this.tools,
        element("div", {class: "above"}, element("span", {class: "corner"}, Format.duration(n.end)), this.strip),
        element("div", {class: "above"}, element("span", {class: "corner"}), this.axis), this.scroller);
    this.listen();
  }

  // Where each lane and group heading stands, from the top; their names beside them.
  place() {
    this.places = [];
    let y = 0, group = null;
    const nodes = [];
    for (const lane of this.timeline.lanes) {
      if (!this.laneShown(lane)) continue;
      // A group that is one lane of the same name needs no heading.
      if (lane.group !== group && lane.group === lane.name) {
        group = lane.group;
      } else if (lane.group !== group) {
        group = lane.group;
        nodes.push(element("h3", {style: `top:${y}px;height:${Paint.GROUP_HEIGHT}px`}, group));
        this.places.push({lane: null, y, height: Paint.GROUP_HEIGHT});
        y += Paint.GROUP_HEIGHT;
      }
      const height = Paint.laneHeight(lane);
      nodes.push(element("div", {class: "name", style: `top:${y}px;height:${height}px`, title: lane.note ? `${lane.name}: ${lane.note}` : lane.name},
          element("span", {class: "lane-name"}, lane.name), lane.note ? element("span", {class: "note"}, lane.note) : null,
          element("button", {type: "button", class: "hide", "aria-label": `Hide lane ${lane.name} of ${lane.group}`, title: "Hide this lane",
                             onclick: () => this.hideLane(lane)}, "×")));
      this.places.push({lane, y, height});
      y += height;
    }
    this.height = y;
    this.labels.replaceChildren(...nodes);
    this.labels.style.height = `${y}px`;
    const hidden = this.timeline.lanes.filter((lane) => lane.hidden).length;
    this.restore.hidden = hidden === 0;
    this.restore.textContent = `${Format.plural(hidden, "lane")} hidden, show`;
    this.resize();
  }

  laneShown(lane) {
    if (lane.hidden || this.hiddenGroups.has(lane.group)) return false;
    return this.timeline.matches === null || lane.items.some((index) => this.timeline.matches[index] === 1);
  }

  hideLane(lane) {
    lane.hidden = true;
    this.place();
    this.onFilter();
    this.surface.focus();
    announce(`lane ${lane.name} is hidden`);
  }

  showAll() {
    for (const lane of this.timeline.lanes) lane.hidden = false;
    this.place();
    this.onFilter();
  }

  toggleGroup(group, chip) {
    const hide = !this.hiddenGroups.has(group);
    this.hiddenGroups[hide ? "add" : "delete"](group);
    chip.setAttribute("aria-pressed", String(!hide));
    this.place();
    this.onFilter();
  }

  applyFilter() {
    const count = this.timeline.filter(this.search.value);
    this.found.textContent = this.timeline.matches === null ? "" : `${count.toLocaleString("en")} found`;
    this.place();
    this.onFilter();
  }

  // --- size and drawing

  resize() {
    const dense = this.printing ? 2 : Math.max(1, window.devicePixelRatio || 1);
    const set = (canvas, width, height) => {
      const w = Math.max(1, Math.round(width * dense)), h = Math.max(1, Math.round(height * dense));
      if (canvas.width !== w) canvas.width = w;
      if (canvas.height !== h) canvas.height = h;
      canvas.style.height = `${height}px`;
      canvas.getContext("2d").setTransform(dense, 0, 0, dense, 0, 0);
    };
    this.width = Math.max(50, this.surface.clientWidth);
    this.shownHeight = Math.max(40, this.printing ? this.height : Math.min(this.scroller.clientHeight || this.height, this.height));
    this.surface.style.height = `${this.shownHeight}px`;
    set(this.canvas, this.width, this.shownHeight);
    set(this.axis, this.width, Plot.AXIS);
    set(this.strip, this.width, Plot.STRIP);
    if (this.printing) this.draw(); else this.redraw();
  }

  redraw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  draw() {
    const began = performance.now();
    const colours = Plot.colours || (Plot.colours = Paint.palette());
    const top = this.printing ? 0 : this.scroller.scrollTop;
    Paint.lanes(this.canvas.getContext("2d"), this.timeline, this.places, this.view, this.width, this.shownHeight, top, colours, this.state);
    Paint.axis(this.axis.getContext("2d"), this.timeline, this.view, this.width, Plot.AXIS, colours, this.state.hoverTime);
    const strip = this.view.t0 + "/" + this.view.t1 + "/" + this.width;
    // The strip counts every item: only when what it shows has changed.
    if (this.stripOf !== strip || this.stripFresh !== this.places) {
      Paint.strip(this.strip.getContext("2d"), this.timeline, this.view, this.width, Plot.STRIP, colours);
      this.stripOf = strip;
      this.stripFresh = this.places;
    }
    // Read by whoever measures (tests/meta/timeline_test.py).
    Plot.lastDraw = performance.now() - began;
    this.root.dataset.drawn = String(Number(this.root.dataset.drawn || 0) + 1);
  }

  // --- the window

  whole() {
    const margin = this.timeline.end * 0.015;
    return {t0: -margin, t1: this.timeline.end + margin};
  }

  setView(t0, t1) {
    const whole = this.whole();
    const span = Math.min(Math.max(t1 - t0, 20), whole.t1 - whole.t0);
    let from = t0;
    if (from < whole.t0) from = whole.t0;
    if (from + span > whole.t1) from = whole.t1 - span;
    this.view = {t0: from, t1: from + span};
    this.redraw();
  }

  zoom(factor, around) {
    const {t0, t1} = this.view;
    const selected = this.state.selected === null ? null : this.timeline.items[this.state.selected][BEGIN];
    let centre = around;
    if (centre === undefined) centre = selected !== null && selected >= t0 && selected <= t1 ? selected : (t0 + t1) / 2;
    const span = Math.max(20, (t1 - t0) * factor);
    const share = (centre - t0) / (t1 - t0);
    this.setView(centre - share * span, centre + (1 - share) * span);
  }

  pan(share) {
    const by = (this.view.t1 - this.view.t0) * share;
    this.setView(this.view.t0 + by, this.view.t1 + by);
  }

  fit() {
    this.view = this.whole();
    this.redraw();
  }

  // Brings a time, and the lane of an item, into view.
  reveal(index) {
    const item = this.timeline.items[index];
    const {t0, t1} = this.view;
    const span = t1 - t0;
    if (item[BEGIN] < t0 + span * 0.02 || item[BEGIN] > t1 - span * 0.02) this.setView(item[BEGIN] - span * 0.3, item[BEGIN] + span * 0.7);
    const place = this.places.find((p) => p.lane && p.lane.index === item[LANE]);
    if (!place) return;
    const y = place.y + Paint.LANE_PAD + item[ROW] * Paint.rowHeight(place.lane);
    if (y < this.scroller.scrollTop + 10) this.scroller.scrollTop = Math.max(0, y - 40);
    if (y > this.scroller.scrollTop + this.shownHeight - 30) this.scroller.scrollTop = y - this.shownHeight + 60;
  }

  zoomTo(index) {
    const item = this.timeline.items[index];
    const length = item[END] - item[BEGIN];
    const margin = length > 0 ? length * 0.3 : Math.max(2000, (this.view.t1 - this.view.t0) / 12);
    this.setView(item[BEGIN] - margin, item[END] + margin);
  }

  select(index, reveal = true) {
    this.state.selected = index;
    if (index !== null && reveal) this.reveal(index);
    this.onSelect(index);
    this.redraw();
  }

  // --- pointer

  listen() {
    const at = (event, node) => {
      const box = node.getBoundingClientRect();
      return {x: event.clientX - box.left, y: event.clientY - box.top};
    };
    const timeAt = (x) => this.view.t0 + (x / this.width) * (this.view.t1 - this.view.t0);
    let drag = null;
    this.surface.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      drag = {x: event.clientX, y: event.clientY, t0: this.view.t0, t1: this.view.t1, top: this.scroller.scrollTop, moved: false};
      this.surface.setPointerCapture(event.pointerId);
    });
    this.surface.addEventListener("pointermove", (event) => {
      const {x, y} = at(event, this.surface);
      if (drag) {
        const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
        if (Math.abs(dx) + Math.abs(dy) > 4) drag.moved = true;
        if (drag.moved) {
          const by = (dx / this.width) * (drag.t1 - drag.t0);
          this.setView(drag.t0 - by, drag.t1 - by);
          this.scroller.scrollTop = drag.top - dy;
          this.tip(null);
        }
        return;
      }
      this.state.hoverTime = timeAt(x);
      this.state.hover = this.hit(x, y);
      this.tip(this.state.hover, event);
      this.redraw();
    });
    this.surface.addEventListener("pointerup", (event) => {
      const {x, y} = at(event, this.surface);
      if (drag && !drag.moved) this.select(this.hit(x, y), false);
      drag = null;
    });
    this.surface.addEventListener("pointercancel", () => { drag = null; });
    this.surface.addEventListener("pointerleave", () => {
      this.state.hover = null;
      this.state.hoverTime = null;
      this.tip(null);
      this.redraw();
    });
    this.surface.addEventListener("dblclick", () => { if (this.state.selected !== null) this.zoomTo(this.state.selected); });
    this.surface.addEventListener("wheel", (event) => {
      if (event.altKey) return;
      event.preventDefault();
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.shiftKey ? event.deltaY : 0;
      if (sideways) this.pan(sideways / this.width);
      else this.zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY * 0.0022))), timeAt(at(event, this.surface).x));
    }, {passive: false});
    this.scroller.addEventListener("scroll", () => this.redraw());
    this.surface.addEventListener("keydown", (event) => this.key(event));
    let brush = false;
    const brushTo = (event) => {
      const centre = (at(event, this.strip).x / this.width) * this.timeline.end;
      const half = (this.view.t1 - this.view.t0) / 2;
      this.setView(centre - half, centre + half);
    };
    this.strip.addEventListener("pointerdown", (event) => {
      brush = true;
      this.strip.setPointerCapture(event.pointerId);
      brushTo(event);
    });
    this.strip.addEventListener("pointermove", (event) => { if (brush) brushTo(event); });
    this.strip.addEventListener("pointerup", () => { brush = false; });
  }

  // The item under a point: marks before bars, the nearest first.
  hit(x, y) {
    const deep = y + this.scroller.scrollTop;
    const place = this.places.find((p) => p.lane && deep >= p.y && deep < p.y + p.height);
    if (!place) return null;
    const h = Paint.rowHeight(place.lane);
    const row = Math.min(place.lane.rows - 1, Math.max(0, Math.floor((deep - place.y - Paint.LANE_PAD) / h)));
    const scale = this.width / (this.view.t1 - this.view.t0);
    const time = this.view.t0 + x / scale;
    const reach = 8 / scale;
    let best = null, nearest = Infinity;
    const list = place.lane.items;
    for (let n = this.timeline.firstFrom(place.lane, time - reach); n < list.length; ++n) {
      const item = this.timeline.items[list[n]];
      if (item[BEGIN] > time + reach) break;
      if (item[ROW] !== row || !this.timeline.shown(list[n])) continue;
      const off = isBar(item) ? (time < item[BEGIN] ? item[BEGIN] - time : time > item[END] ? time - item[END] : 0) * scale
                              : Math.abs(time - item[BEGIN]) * scale;
      if (off > (isBar(item) ? 3 : 8)) continue;
      // A bar counts as a little farther than a mark on it.
      const distance = off + (isBar(item) ? 7 : 0);
      if (distance <= nearest) {
        nearest = distance;
        best = list[n];
      }
    }
    return best;
  }

  tip(index, event) {
    const node = byId("tip");
    node.hidden = index === null;
    if (index === null) return;
    const item = this.timeline.items[index];
    const lines = [element("strong", {}, this.timeline.label(index).slice(0, 200)),
                   element("span", {}, isBar(item) ? `${Format.exact(item[BEGIN])}, for ${Format.duration(item[END] - item[BEGIN])}`
                                                   : Format.exact(item[BEGIN]))];
    const detail = this.timeline.facts(index).find(([key]) => key === "detail");
    if (detail) lines.push(element("span", {class: "tip-detail"}, detail[1].slice(0, 200)));
    node.replaceChildren(...lines);
    const box = node.getBoundingClientRect();
    node.style.left = `${Math.min(event.clientX + 14, window.innerWidth - box.width - 8)}px`;
    node.style.top = `${event.clientY + 18 + box.height > window.innerHeight ? event.clientY - box.height - 10 : event.clientY + 18}px`;
  }

  // --- keys

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const selected = this.state.selected;
    const act = {
      "+": () => this.zoom(1 / 1.6), "=": () => this.zoom(1 / 1.6), "-": () => this.zoom(1.6), "_": () => this.zoom(1.6),
      "0": () => this.fit(),
      ArrowLeft: () => (event.shiftKey ? this.pan(-0.2) : this.step(-1)),
      ArrowRight: () => (event.shiftKey ? this.pan(0.2) : this.step(1)),
      ArrowUp: () => this.climb(-1), ArrowDown: () => this.climb(1),
      Home: () => this.edge(0), End: () => this.edge(-1),
      Enter: () => { if (selected !== null) this.zoomTo(selected); },
      Escape: () => {
        if (selected !== null) return this.select(null);
        if (this.search.value) { this.search.value = ""; this.applyFilter(); }
      },
      n: () => this.troubles(1), p: () => this.troubles(-1),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
    if (this.state.selected !== null && this.state.selected !== selected) announce(this.spoken(this.state.selected));
  }

  spoken(index) {
    const item = this.timeline.items[index];
    const lane = this.timeline.laneOf(index);
    return `${this.timeline.label(index)}, ${lane.group} ${lane.name}, at ${Format.duration(item[BEGIN])}${
        isBar(item) ? `, for ${Format.duration(item[END] - item[BEGIN])}` : ""}`;
  }

  shownLanes() { return this.places.filter((p) => p.lane && p.lane.items.length > 0).map((p) => p.lane); }

  step(by) {
    if (this.state.selected === null) return this.begin();
    const list = this.timeline.laneOf(this.state.selected).items;
    for (let at = list.indexOf(this.state.selected) + by; at >= 0 && at < list.length; at += by) {
      if (this.timeline.shown(list[at])) return this.select(list[at]);
    }
  }

  // The first item in view of the first lane in view.
  begin() {
    for (const lane of this.shownLanes()) {
      const found = lane.items.find((index) => this.timeline.items[index][BEGIN] >= this.view.t0 && this.timeline.shown(index));
      if (found !== undefined) return this.select(found);
    }
  }

  climb(by) {
    if (this.state.selected === null) return this.begin();
    const lanes = this.shownLanes();
    const from = lanes.indexOf(this.timeline.laneOf(this.state.selected));
    const lane = lanes[from + by];
    if (!lane) return;
    const time = this.timeline.items[this.state.selected][BEGIN];
    let best = null, nearest = Infinity;
    for (const index of lane.items) {
      const off = Math.abs(this.timeline.items[index][BEGIN] - time);
      if (off < nearest && this.timeline.shown(index)) { best = index; nearest = off; }
    }
    if (best !== null) this.select(best);
  }

  edge(end) {
    if (this.state.selected === null) this.begin();
    if (this.state.selected === null) return;
    const list = this.timeline.laneOf(this.state.selected).items.filter((index) => this.timeline.shown(index));
    if (list.length) this.select(list.at(end));
  }

  troubles(by) {
    const list = this.timeline.trouble.filter((index) => this.timeline.shown(index) && this.laneShown(this.timeline.laneOf(index)));
    if (list.length === 0) return announce("nothing failed here");
    const at = this.state.selected === null ? -1 : list.indexOf(this.state.selected);
    if (at >= 0) return this.select(list[(at + by + list.length) % list.length]);
    const next = this.state.selected === null ? -1 : list.findIndex((index) => index > this.state.selected);
    this.select(by > 0 ? list[Math.max(0, next)] : list[(next < 0 ? list.length : next) - 1] ?? list.at(-1));
  }

  // --- paper

  print(on) {
    this.printing = on;
    this.root.classList.toggle("printing", on);
    Plot.colours = null;
    this.resize();
  }
}
Plot.AXIS = 44;
Plot.STRIP = 30;
Plot.lastDraw = 0;
Plot.colours = null;
