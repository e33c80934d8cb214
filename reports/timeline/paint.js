"use strict";
// Draws what is in view. Nothing here keeps state: same timeline, window and size, same picture.
const Paint = (() => {
  const ROW_HEIGHT = 19, LANE_PAD = 5, GROUP_HEIGHT = 26, MANY_ROWS = 6, SLIM_ROW = 10;
  const FONT = "11px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";

  const rowHeight = (lane) => (lane.rows > MANY_ROWS ? SLIM_ROW : ROW_HEIGHT);
  const laneHeight = (lane) => lane.rows * rowHeight(lane) + 2 * LANE_PAD;

  // Canvases know no CSS variables: their values, for the scheme in force.
  function palette() {
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(`--${name}`).trim();
    return {
      tones: [get("quiet"), get("plain"), get("good"), get("warn"), get("bad")],
      ink: get("ink"), muted: get("muted"), line: get("line"), faint: get("faint"),
      panel: get("panel"), accent: get("accent"), shade: get("shade"), bad: get("bad"), warn: get("warn"),
    };
  }

  // A distance between ticks of at least `least` pixels, round in the way people count time.
  function tickStep(span, width, least) {
    const wanted = (span / Math.max(1, width)) * least;
    for (let power = 1; power < 1e6; power *= 10) {
      for (const step of [1, 2, 5]) if (step * power >= wanted) return step * power;
    }
    for (const seconds of [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400]) {
      if (seconds * 1e6 >= wanted) return seconds * 1e6;
    }
    return Math.ceil(wanted / 86400e6) * 86400e6;
  }

  function forTicks(view, width, least, draw) {
    const step = tickStep(view.t1 - view.t0, width, least);
    for (let n = Math.ceil(view.t0 / step); n * step <= view.t1; ++n) draw(n * step, step);
  }

  const xOf = (view, width, time) => ((time - view.t0) / (view.t1 - view.t0)) * width;

  // --- axis

  function axis(ctx, timeline, view, width, height, colours, hover) {
    ctx.clearRect(0, 0, width, height);
    ctx.font = FONT;
    ctx.textBaseline = "alphabetic";
    ctx.fillStyle = colours.muted;
    ctx.strokeStyle = colours.line;
    ctx.lineWidth = 1;
    forTicks(view, width, 84, (time, step) => {
      const x = Math.round(xOf(view, width, time)) + 0.5;
      line(ctx, x, height - 6, x, height);
      const text = Format.clock(time, step);
      const room = ctx.measureText(text).width / 2;
      ctx.fillText(text, Math.min(Math.max(x - room, 1), width - 2 * room - 1), height - 10);
    });
    flags(ctx, timeline, view, width, colours);
    if (hover !== null) {
      const text = Format.clock(hover, (view.t1 - view.t0) / width);
      const w = ctx.measureText(text).width + 12;
      const x = Math.min(Math.max(xOf(view, width, hover) - w / 2, 0), width - w);
      ctx.fillStyle = colours.ink;
      rounded(ctx, x, height - 22, w, 17, 4);
      ctx.fill();
      ctx.fillStyle = colours.panel;
      ctx.fillText(text, x + 6, height - 9.5);
    }
  }

  // Names of what broke, above the ticks; where two are near, the later one has only its line.
  function flags(ctx, timeline, view, width, colours) {
    let free = -Infinity;
    for (const violation of timeline.violations) {
      if (!violation.placed) continue;
      const x = xOf(view, width, violation.at);
      if (x < -1 || x > width + 1) continue;
      const colour = violation.outcome === "fail" ? colours.bad : colours.warn;
      const w = ctx.measureText(violation.check).width + 12;
      const left = Math.min(Math.max(x, 0), Math.max(0, width - w));
      if (left < free) continue;
      ctx.fillStyle = colour;
      rounded(ctx, left, 2, w, 16, 3);
      ctx.fill();
      ctx.fillStyle = colours.panel;
      ctx.fillText(violation.check, left + 6, 14);
      free = left + w + 4;
    }
    ctx.fillStyle = colours.muted;
    for (const [moment, word] of [[timeline.judging, "judged"], [timeline.finished, "clean-up"]]) {
      if (moment === null) continue;
      const x = xOf(view, width, moment) + 5;
      const w = ctx.measureText(word).width;
      if (x < 5 || x + w > width - 2 || x < free) continue;
      ctx.fillText(word, x, 14);
      free = x + w + 8;
    }
  }

  // --- lanes

  // `places`: [{lane, y}] of what is shown, in the order of y; `top`: how far it is scrolled.
  function lanes(ctx, timeline, places, view, width, height, top, colours, state) {
    ctx.clearRect(0, 0, width, height);
    ctx.font = FONT;
    ctx.textBaseline = "middle";
    for (const shade of timeline.shades) {
      const from = Math.max(-2, xOf(view, width, shade.begin));
      const to = Math.min(width + 2, xOf(view, width, shade.end));
      if (to < 0 || from > width) continue;
      ctx.fillStyle = colours.shade;
      ctx.fillRect(from, 0, Math.max(1, to - from), height);
      ctx.strokeStyle = colours.warn;
      ctx.globalAlpha = 0.55;
      ctx.setLineDash([3, 3]);
      line(ctx, Math.round(from) + 0.5, 0, Math.round(from) + 0.5, height);
      if (!shade.open) line(ctx, Math.round(to) - 0.5, 0, Math.round(to) - 0.5, height);
      ctx.setLineDash([]);
      ctx.globalAlpha = 1;
    }
    ctx.strokeStyle = colours.faint;
    ctx.lineWidth = 1;
    forTicks(view, width, 84, (time) => {
      const x = Math.round(xOf(view, width, time)) + 0.5;
      line(ctx, x, 0, x, height);
    });
    for (const place of places) {
      const y = place.y - top;
      if (y > height || y + place.height < 0) continue;
      ctx.strokeStyle = colours.faint;
      line(ctx, 0, Math.round(y + place.height) - 0.5, width, Math.round(y + place.height) - 0.5);
      if (place.lane) lane(ctx, timeline, place.lane, view, width, y, colours, state);
    }
    for (const moment of [timeline.judging, timeline.finished]) {
      if (moment === null) continue;
      const x = Math.round(xOf(view, width, moment)) + 0.5;
      ctx.strokeStyle = colours.muted;
      ctx.globalAlpha = 0.5;
      line(ctx, x, 0, x, height);
      ctx.globalAlpha = 1;
    }
    for (const violation of timeline.violations) {
      if (!violation.placed) continue;
      const x = Math.round(xOf(view, width, violation.at)) + 0.5;
      ctx.strokeStyle = violation.outcome === "fail" ? colours.bad : colours.warn;
      ctx.lineWidth = 1.5;
      line(ctx, x, 0, x, height);
      ctx.lineWidth = 1;
    }
    if (state.hoverTime !== null) {
      ctx.strokeStyle = colours.muted;
      const x = Math.round(xOf(view, width, state.hoverTime)) + 0.5;
      line(ctx, x, 0, x, height);
    }
  }

  function lane(ctx, timeline, lane_, view, width, y, colours, state) {
    const h = rowHeight(lane_);
    const scale = width / (view.t1 - view.t0);
    const first = timeline.firstFrom(lane_, view.t0 - 12 / scale);
    const list = lane_.items;
    let count = 0, last = first;
    for (; last < list.length && timeline.items[list[last]][BEGIN] <= view.t1 + 12 / scale; ++last) ++count;
    // Where marks would lie on each other they become a histogram; bars narrower than a pixel melt into their row.
    const crowded = count > (width / 4) * lane_.rows;
    const columns = crowded ? new Map() : null;
    const painted = new Float64Array(lane_.rows).fill(-1);  // left and right edge of the last bar, by row
    const leftmost = new Float64Array(lane_.rows).fill(-1);
    const worst = new Int8Array(lane_.rows).fill(-1);
    const until = new Float64Array(lane_.rows).fill(-Infinity);  // end of the bars so far, by row
    const named = new Array(lane_.rows).fill(null);              // a mark that waits for its label's room
    const before = new Float64Array(lane_.rows).fill(NaN);       // the attempt before, by row
    const name = (row, limit) => {
      const mark = named[row];
      named[row] = null;
      if (mark && limit - mark.x > 26) text(ctx, mark.label, mark.x + 9, mark.y, limit - mark.x - 15, mark.colour);
    };
    for (let n = first; n < last; ++n) {
      const index = list[n];
      const item = timeline.items[index];
      const row = item[ROW];
      const dim = !timeline.shown(index);
      const x = (item[BEGIN] - view.t0) * scale;
      const top = y + LANE_PAD + row * h;
      const middle = top + h / 2;
      if (dim) ctx.globalAlpha = 0.14;
      if (isBar(item)) {
        const w = Math.max(1.5, (item[END] - item[BEGIN]) * scale);
        if (x + w < -8) { until[row] = Math.max(until[row], item[END]); continue; }
        if (!dim) name(row, x);
        // Nothing of it would be seen beside the one before.
        if (x - leftmost[row] < 1 && x + w <= painted[row] + 1 && item[TONE] <= worst[row]) continue;
        painted[row] = x + w;
        leftmost[row] = x;
        worst[row] = item[TONE];
        until[row] = Math.max(until[row], item[END]);
        bar(ctx, item, x, w, top, h, colours, dim ? "" : timeline.label(index));
      } else if (crowded) {
        const column = Math.floor(x / 2);
        const key = row * 1e6 + column;
        const cell = columns.get(key);
        if (cell) ++cell.tones[dim ? 5 : item[TONE]]; else columns.set(key, {row, x: column * 2, tones: one(dim ? 5 : item[TONE])});
      } else {
        if (!dim) name(row, x);
        if (lane_.group === "connections" && row === 0 && item[LOOK] !== Look.diamond) {
          gap(ctx, before[row], item[BEGIN], view, scale, middle, colours);
          before[row] = item[BEGIN];
        } else if (!dim && item[BEGIN] >= until[row] && h > SLIM_ROW) {
          named[row] = {x, y: middle, label: timeline.label(index),
                        colour: item[TONE] >= Tone.warn ? colours.tones[item[TONE]] : colours.muted};
        }
        mark(ctx, item[LOOK], x, middle, h, colours.tones[item[TONE]], colours);
      }
      if (dim) ctx.globalAlpha = 1;
    }
    named.forEach((_, row) => name(row, width));
    if (columns) {
      for (const cell of columns.values()) stack(ctx, cell, y + LANE_PAD + cell.row * h, h, colours);
    }
    for (const [index, colour] of [[state.hover, colours.muted], [state.selected, colours.accent]]) {
      if (index === null || timeline.items[index][LANE] !== lane_.index) continue;
      outline(ctx, timeline.items[index], (timeline.items[index][BEGIN] - view.t0) * scale, scale,
              y + LANE_PAD + timeline.items[index][ROW] * h, h, colour);
    }
  }

  const one = (tone) => {
    const tones = [0, 0, 0, 0, 0, 0];
    tones[tone] = 1;
    return tones;
  };

  // Marks that share a column: as high as they are many, in the share of their tones, what failed always seen. The last
  // place counts those that a filter leaves out.
  function stack(ctx, cell, top, h, colours) {
    const count = cell.tones.reduce((sum, n) => sum + n, 0);
    const size = Math.min(h - 3, 4 + Math.log2(count + 1) * 2.5);
    let y = top + (h + size) / 2;
    for (const tone of [4, 3, 2, 1, 0, 5]) {
      if (cell.tones[tone] === 0) continue;
      const part = Math.min(y - (top + (h - size) / 2), Math.max(tone === Tone.bad ? 3 : 0, (cell.tones[tone] / count) * size));
      ctx.globalAlpha = tone === 5 ? 0.14 : 0.8;
      ctx.fillStyle = colours.tones[tone === 5 ? 0 : tone];
      ctx.fillRect(cell.x, y - part, 2, part);
      y -= part;
    }
    ctx.globalAlpha = 1;
  }

  function bar(ctx, item, x, w, top, h, colours, label) {
    const colour = colours.tones[item[TONE]];
    const left = Math.max(x, -4), right = Math.min(x + w, ctx.canvas.width + 4);
    const t = top + 2, b = h - 4;
    const alpha = ctx.globalAlpha;
    if (item[LOOK] === Look.waiting) {
      ctx.strokeStyle = colour;
      ctx.setLineDash([2, 3]);
      line(ctx, left, top + h / 2, right, top + h / 2);
      ctx.setLineDash([]);
      if (w > 3) line(ctx, right - 0.5, top + h / 2 - 4, right - 0.5, top + h / 2 + 4);
      if (w > 60) label_(ctx, label, left, right, top + h / 2, colours.muted, colours.panel);
      return;
    }
    ctx.fillStyle = colour;
    if (w < 3) {
      ctx.globalAlpha = alpha * 0.8;
      ctx.fillRect(x, t, w, b);
      ctx.globalAlpha = alpha;
      return;
    }
    ctx.globalAlpha = alpha * (item[LOOK] === Look.bar ? 0.26 : 0.08);
    rounded(ctx, left, t, right - left, b, 3);
    ctx.fill();
    ctx.globalAlpha = alpha * 0.75;
    ctx.strokeStyle = colour;
    if (item[LOOK] === Look.pending) ctx.setLineDash([3, 2]);
    rounded(ctx, left + 0.5, t + 0.5, right - left - 1, b - 1, 3);
    ctx.stroke();
    ctx.setLineDash([]);
    if (item[LOOK] === Look.paused) hatch(ctx, left, t, right - left, b);
    // An end that was not seen fades out into teeth.
    if (item[OPEN] === 1 && right <= ctx.canvas.width) {
      ctx.fillStyle = colours.panel;
      ctx.globalAlpha = alpha;
      for (let y = t; y < t + b; y += 4) {
        ctx.beginPath();
        ctx.moveTo(right + 0.5, y);
        ctx.lineTo(right - 3, y + 2);
        ctx.lineTo(right + 0.5, y + 4);
        ctx.fill();
      }
    }
    ctx.globalAlpha = alpha;
    if (label && h > SLIM_ROW && right - Math.max(left, 0) > 30) {
      const from = Math.max(left, 0) + 6;
      text(ctx, label, from, top + h / 2, right - from - 5, colours.ink);
    }
  }

  function hatch(ctx, x, y, w, h) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(x, y, w, h);
    ctx.clip();
    for (let at = x - h; at < x + w; at += 6) line(ctx, at, y + h, at + h, y);
    ctx.restore();
  }

  function mark(ctx, look, x, y, h, colour, colours) {
    const r = Math.min(4, h / 2 - 1);
    ctx.fillStyle = colour;
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1.6;
    ctx.beginPath();
    switch (look) {
      case Look.dot:
        ctx.arc(x, y, r - 0.3, 0, 7);
        ctx.fill();
        break;
      case Look.ring:
        ctx.arc(x, y, r - 0.5, 0, 7);
        ctx.fillStyle = colours.panel;
        ctx.fill();
        ctx.stroke();
        break;
      case Look.cross:
        ctx.moveTo(x - r + 0.5, y - r + 0.5); ctx.lineTo(x + r - 0.5, y + r - 0.5);
        ctx.moveTo(x + r - 0.5, y - r + 0.5); ctx.lineTo(x - r + 0.5, y + r - 0.5);
        ctx.stroke();
        break;
      case Look.diamond:
        ctx.moveTo(x, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r); ctx.lineTo(x - r, y);
        ctx.fill();
        break;
      case Look.flag:
        ctx.fillRect(x - 0.8, y - h / 2 + 1, 1.6, h - 2);
        ctx.moveTo(x, y - h / 2 + 1); ctx.lineTo(x + 8, y - h / 2 + 5); ctx.lineTo(x, y - h / 2 + 9);
        ctx.fill();
        break;
      default:
        ctx.fillRect(x - 0.8, y - h / 2 + 3, 1.6, h - 6);
    }
    ctx.lineWidth = 1;
  }

  // The time between two attempts, between their marks: how a back-off reads.
  function gap(ctx, from, to, view, scale, y, colours) {
    if (!(to > from)) return;
    const x0 = Math.max((from - view.t0) * scale, 0) + 7, x1 = (to - view.t0) * scale - 7;
    const words = Format.duration(to - from);
    const w = ctx.measureText(words).width;
    if (x1 - x0 < w + 12) return;
    const middle = (x0 + x1) / 2;
    ctx.strokeStyle = colours.line;
    line(ctx, x0, y, middle - w / 2 - 4, y);
    line(ctx, middle + w / 2 + 4, y, x1, y);
    ctx.fillStyle = colours.muted;
    ctx.fillText(words, middle - w / 2, y);
  }

  function outline(ctx, item, x, scale, top, h, colour) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = 2;
    if (isBar(item)) {
      const w = Math.max(4, (item[END] - item[BEGIN]) * scale);
      const left = Math.max(x, -6), right = Math.min(x + w, ctx.canvas.width + 6);
      rounded(ctx, left - 1, top + 1, right - left + 2, h - 2, 4);
    } else {
      ctx.beginPath();
      ctx.arc(x, top + h / 2, Math.min(8, h / 2 + 1), 0, 7);
    }
    ctx.stroke();
    ctx.lineWidth = 1;
  }

  // --- strip

  // The whole run in one low strip: how much happens when, what failed, and the window of the view.
  function strip(ctx, timeline, view, width, height, colours) {
    ctx.clearRect(0, 0, width, height);
    const whole = {t0: 0, t1: timeline.end};
    for (const shade of timeline.shades) {
      const x = xOf(whole, width, shade.begin);
      ctx.fillStyle = colours.shade;
      ctx.fillRect(x, 0, Math.max(1, xOf(whole, width, shade.end) - x), height);
    }
    const columns = Math.max(1, Math.floor(width / 3));
    const counts = new Float64Array(columns), failed = new Float64Array(columns);
    for (let i = 0; i < timeline.items.length; ++i) {
      if (!timeline.shown(i) || timeline.laneOf(i).hidden) continue;
      const item = timeline.items[i];
      const column = Math.min(columns - 1, Math.max(0, Math.floor((item[BEGIN] / timeline.end) * columns)));
      ++counts[column];
      if (item[TONE] === Tone.bad) ++failed[column];
    }
    const most = Math.log2(1 + Math.max(1, ...counts));
    for (let c = 0; c < columns; ++c) {
      if (counts[c] === 0) continue;
      const size = 2 + (Math.log2(1 + counts[c]) / most) * (height - 6);
      const bad = failed[c] === 0 ? 0 : Math.max(4, (failed[c] / counts[c]) * size);
      ctx.fillStyle = colours.tones[Tone.quiet];
      ctx.fillRect(c * (width / columns), height - size, width / columns - 1, size);
      ctx.fillStyle = colours.bad;
      ctx.fillRect(c * (width / columns), height - bad, width / columns - 1, bad);
    }
    const x0 = xOf(whole, width, view.t0), x1 = xOf(whole, width, view.t1);
    ctx.fillStyle = colours.panel;
    ctx.globalAlpha = 0.6;
    ctx.fillRect(0, 0, Math.max(0, x0), height);
    ctx.fillRect(x1, 0, Math.max(0, width - x1), height);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = colours.accent;
    rounded(ctx, Math.max(0.5, x0), 0.5, Math.max(3, Math.min(width - 0.5, x1) - Math.max(0.5, x0)), height - 1, 3);
    ctx.stroke();
  }

  // --- pieces

  function line(ctx, x0, y0, x1, y1) {
    ctx.beginPath();
    ctx.moveTo(x0, y0);
    ctx.lineTo(x1, y1);
    ctx.stroke();
  }

  function rounded(ctx, x, y, w, h, r) {
    ctx.beginPath();
    ctx.roundRect(x, y, Math.max(0, w), Math.max(0, h), Math.min(r, Math.max(0, w / 2), Math.max(0, h / 2)));
  }

  // Cut to fit, with an ellipsis; nothing where less than a few letters would be left.
  function text(ctx, words, x, y, room, colour) {
    if (room < 14) return;
    ctx.fillStyle = colour;
    const longest = Math.ceil(room / 3.2);
    let shown = words.length > longest ? words.slice(0, longest) : words;
    let w = ctx.measureText(shown).width;
    if (w > room) {
      shown = shown.slice(0, Math.max(1, Math.floor((shown.length * (room - 7)) / w)));
      while (shown.length > 1 && ctx.measureText(shown + "…").width > room) shown = shown.slice(0, -1);
      if (shown.length < 3) return;
      shown += "…";
    }
    ctx.fillText(shown, x, y);
  }

  function label_(ctx, words, left, right, y, colour, background) {
    const w = ctx.measureText(words).width;
    if (right - left < w + 16) return;
    const x = (Math.max(left, 0) + right - w) / 2;
    ctx.fillStyle = background;
    ctx.fillRect(x - 3, y - 6, w + 6, 12);
    ctx.fillStyle = colour;
    ctx.fillText(words, x, y);
  }

  return {palette, axis, lanes, strip, mark, laneHeight, rowHeight, GROUP_HEIGHT, LANE_PAD, xOf};
})();
