"use strict";
// What the page was given: the run, and for each subject the items of its timeline in their lanes.
const LANE = 0, ROW = 1, BEGIN = 2, END = 3, LOOK = 4, TONE = 5, OPEN = 6, LABEL = 7, LINE = 8, FACTS = 9;
const Look = {bar: 0, pending: 1, paused: 2, waiting: 3, dot: 4, ring: 5, cross: 6, tick: 7, diamond: 8, flag: 9};
const Tone = {quiet: 0, plain: 1, good: 2, warn: 3, bad: 4};
const isBar = (item) => item[LOOK] <= Look.waiting;

const Data = (() => {
  const read = (id) => JSON.parse(byId(id).textContent);

  class Timeline {
    constructor(raw) {
      this.end = Math.max(raw.end, 1);
      this.origin = raw.origin;
      this.judging = raw.judging;
      this.finished = raw.finished;
      this.events = raw.events;
      this.leftOut = raw.leftOut;
      this.strings = raw.strings;
      this.items = raw.items;
      this.shades = raw.shades.map(([begin, end, open, label]) => ({begin, end, open: open === 1, label}));
      this.violations = raw.violations;
      this.lanes = raw.lanes.map(([group, name, note, rows], index) =>
          ({group, name, note, rows, index, items: [], reach: null, hidden: false}));
      for (let i = 0; i < this.items.length; ++i) this.lanes[this.items[i][LANE]].items.push(i);
      for (const lane of this.lanes) {
        // Until when anything that began so far lasts: a binary search in it finds the first bar that reaches into a window.
        lane.reach = new Float64Array(lane.items.length);
        let until = -Infinity;
        lane.items.forEach((index, n) => {
          until = Math.max(until, this.items[index][END]);
          lane.reach[n] = until;
        });
      }
      this.matches = null;  // of the filter, by item; null: no filter
      this.trouble = [];    // where n and p lead
      this.items.forEach((item, index) => {
        if (!isBar(item) && (item[LOOK] === Look.flag || (item[TONE] === Tone.bad && item[LOOK] === Look.cross)))
          this.trouble.push(index);
      });
    }

    label(index) { return this.strings[this.items[index][LABEL]]; }

    facts(index) {
      const flat = this.items[index][FACTS];
      const pairs = [];
      for (let i = 0; i < flat.length; i += 2) pairs.push([this.strings[flat[i]], this.strings[flat[i + 1]]]);
      return pairs;
    }

    laneOf(index) { return this.lanes[this.items[index][LANE]]; }

    // First position in a lane's items whose item may reach to `time` or begins after it.
    firstFrom(lane, time) { return lowerBound(lane.reach, time); }

    // Each word must be in the label, a fact or the lane's name.
    filter(text) {
      const words = text.toLowerCase().split(/\s+/).filter(Boolean);
      if (words.length === 0) {
        this.matches = null;
        return this.items.length;
      }
      const lower = this.strings.map((string) => string.toLowerCase());
      const has = words.map((word) => lower.map((string) => string.includes(word)));
      const lanes = this.lanes.map((lane) => {
        const name = `${lane.group} ${lane.name} ${lane.note}`.toLowerCase();
        return words.map((word) => name.includes(word));
      });
      this.matches = new Uint8Array(this.items.length);
      let found = 0;
      this.items.forEach((item, index) => {
        const all = words.every((_, w) => {
          if (lanes[item[LANE]][w] || has[w][item[LABEL]]) return true;
          for (let i = 1; i < item[FACTS].length; i += 2) if (has[w][item[FACTS][i]]) return true;
          return false;
        });
        if (all) {
          this.matches[index] = 1;
          ++found;
        }
      });
      return found;
    }

    shown(index) { return this.matches === null || this.matches[index] === 1; }
  }

  // First position whose value is at least `wanted`, in values that never fall.
  function lowerBound(values, wanted) {
    let low = 0, high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] < wanted) low = middle + 1; else high = middle;
    }
    return low;
  }

  const run = read("run");
  const cache = new Map();
  return {
    run,
    // Null for a subject without one. Decoded when it is first shown.
    timeline(position) {
      if (!run.subjects[position].timeline) return null;
      if (!cache.has(position)) cache.set(position, new Timeline(read(`timeline-${position}`)));
      return cache.get(position);
    },
  };
})();
