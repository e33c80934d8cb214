"use strict";
// Text for people, and elements without markup: nothing on this page is ever parsed as HTML.
const Format = (() => {
  // Microseconds, with as many digits as tell neighbours apart.
  function duration(us) {
    const size = Math.abs(us);
    if (size < 1000) return `${Math.round(us)} µs`;
    if (size < 1e6) return `${trim(us / 1e3, size < 1e4 ? 2 : size < 1e5 ? 1 : 0)} ms`;
    if (size < 60e6) return `${trim(us / 1e6, size < 10e6 ? 2 : 1)} s`;
    const seconds = Math.round(size / 1e6);
    const sign = us < 0 ? "-" : "";
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    const rest = String(seconds % 60).padStart(2, "0");
    return hours ? `${sign}${hours} h ${String(minutes).padStart(2, "0")} min` : `${sign}${minutes} min ${rest} s`;
  }
  const trim = (number, digits) => number.toFixed(digits).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");

  // A moment on the run's clock, exact enough for `step`, the distance of two ticks.
  function clock(us, step) {
    const digits = step >= 1e6 ? 0 : Math.min(6, Math.ceil(6 - Math.log10(Math.max(1, step))));
    const size = Math.abs(us);
    const sign = us < 0 ? "-" : "";
    if (size < 60e6) return `${(us / 1e6).toFixed(digits)} s`;
    const minutes = Math.floor(size / 60e6);
    const seconds = ((size - minutes * 60e6) / 1e6).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
    if (minutes < 60) return `${sign}${minutes}:${seconds}`;
    return `${sign}${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${seconds}`;
  }

  const exact = (us) => (Math.abs(us) < 60e6 ? `${(us / 1e6).toFixed(6)} s` : clock(us, 1));

  // Calendar time in UTC; `origin` in microseconds since 1970.
  const wall = (us) => new Date(us / 1000).toISOString().replace("T", " ").replace("Z", "") +
      String(Math.floor(((us % 1000) + 1000) % 1000)).padStart(3, "0") + " UTC";

  const plural = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

  return {duration, clock, exact, wall, plural};
})();

// element("a", {class: "pill", href: "#x", onclick: f}, "text", child)
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) {
      node.addEventListener(key.slice(2), value);
    } else {
      node.setAttribute(key, value === true ? "" : value);
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

const byId = (id) => document.getElementById(id);
const announce = (text) => { byId("live").textContent = text; };
