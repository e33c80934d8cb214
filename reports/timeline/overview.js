"use strict";
// All subjects of the run at once: what needs a look, then a row for each scenario.
const Overview = (() => {
  const KIND = {PASS: "good", CAUGHT: "caught", FAIL: "bad", MISSED: "bad", UNKNOWN: "warn", LEAK: "warn", FLAKY: "warn", SKIP: "quiet"};
  const SIGN = {PASS: "✓", CAUGHT: "◉", FAIL: "✕", MISSED: "✕", UNKNOWN: "?", LEAK: "!", FLAKY: "~", SKIP: "–"};
  const WORDS = {PASS: "passed", CAUGHT: "caught, as it was to be", FAIL: "failed", MISSED: "broken, and not caught as it was to be",
                 UNKNOWN: "cannot be told", LEAK: "left something behind", FLAKY: "its repetitions differ", SKIP: "did not run"};

  const MOST_PILLS = 60;

  const kind = (status) => KIND[status] || "warn";
  const name = (s) => `${s.scenario}/${s.subject}${s.repetition > 1 ? `#${s.repetition}` : ""}`;
  const needsLook = (s) => !["PASS", "CAUGHT", "SKIP"].includes(s.status);

  function badge(s) {
    return element("span", {class: `badge ${kind(s.status)}`, title: WORDS[s.status]}, element("span", {"aria-hidden": "true"}, SIGN[s.status] || "?"), " ", s.status.toLowerCase());
  }

  function pill(s) {
    return element("a", {class: `pill ${kind(s.status)}`, href: `#${encodeURI(s.key)}`,
                         "aria-label": `${name(s)} in ${s.world}: ${WORDS[s.status]}${s.skipped ? `, ${s.skipped}` : `, ${Format.duration(s.took)}`}`},
        element("span", {class: "sign", "aria-hidden": "true"}, SIGN[s.status] || "?"),
        element("span", {class: "pill-name"}, s.subject + (s.repetition > 1 ? ` #${s.repetition}` : "")),
        s.skipped ? null : element("span", {class: "took"}, Format.duration(s.took)));
  }

  // Many repetitions: those that need a look, and the first of the others.
  function pills(subjects) {
    const listed = subjects.filter((s, n) => n < MOST_PILLS || needsLook(s)).slice(0, 4 * MOST_PILLS);
    const rest = subjects.length - listed.length;
    return element("div", {class: "pills"}, listed.map(pill), rest ? element("span", {class: "quiet"}, `and ${rest.toLocaleString("en")} more`) : null);
  }

  function command(text) {
    const code = element("code", {}, text);
    const button = element("button", {type: "button", class: "copy", "aria-label": "Copy the command that repeats it", onclick: async () => {
      const range = document.createRange();
      range.selectNodeContents(code);
      const selection = window.getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      try {
        await navigator.clipboard.writeText(text);
        announce("copied");
        button.textContent = "Copied";
      } catch {
        announce("selected: copy it with the keys of your system");
        button.textContent = "Selected";
      }
    }}, "Copy");
    return element("div", {class: "command"}, code, button);
  }

  function look(s) {
    return element("article", {class: `card ${kind(s.status)}`},
        element("h3", {}, badge(s), " ", element("a", {href: `#${encodeURI(s.key)}`}, name(s)), " ", element("span", {class: "quiet"}, `${s.world} · ${s.title}`)),
        element("p", {}, s.explanation || (s.leaks.length ? `left behind: ${s.leaks.join(", ")}` : WORDS[s.status])),
        s.checks.filter((c) => c.outcome !== "pass" && !s.expectedFailures.includes(c.check)).slice(0, 3).map(check),
        command(s.repeat));
  }

  function check(c, at) {
    return element("dl", {class: `check ${c.outcome}`},
        element("div", {class: "check-name"}, element("dt", {class: "unseen"}, "check"), element("dd", {}, c.check, " ", typeof at === "object" && at !== null ? at : null)),
        element("div", {}, element("dt", {}, "expected"), element("dd", {}, c.expected)),
        element("div", {}, element("dt", {}, "seen"), element("dd", {}, c.happened.replace(/\n\s*\n+/g, "\n"))));
  }

  function draw(run, into) {
    const counts = new Map();
    for (const s of run.subjects) counts.set(s.status, (counts.get(s.status) || 0) + 1);
    const looks = run.subjects.filter(needsLook);
    const worlds = [...new Set([...run.worlds, ...run.subjects.map((s) => s.world)])];
    const scenarios = new Map();
    for (const s of run.subjects) {
      if (!scenarios.has(s.scenario)) scenarios.set(s.scenario, []);
      scenarios.get(s.scenario).push(s);
    }
    const rows = [...scenarios].sort(([a], [b]) => a.localeCompare(b, "en", {numeric: true})).map(([id, subjects]) =>
        element("tr", {"data-text": `${id} ${subjects[0].title} ${subjects.map((s) => `${s.subject} ${s.status}`).join(" ")}`.toLowerCase()},
            element("th", {scope: "row"}, id), element("td", {class: "title"}, subjects[0].title),
            worlds.map((world) => element("td", {}, pills(subjects.filter((s) => s.world === world))))));
    const search = element("input", {type: "search", placeholder: "Filter", "aria-label": "Filter the scenarios", id: "find",
                                     oninput: () => {
                                       const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
                                       for (const row of rows) row.hidden = !words.every((word) => row.dataset.text.includes(word));
                                     }});
    into.replaceChildren(
        element("h1", {class: "verdict"}, looks.length === 0 ? "All is as it should be" : `${Format.plural(looks.length, "subject")} need${looks.length === 1 ? "s" : ""} a look`),
        element("p", {class: "sum"}, run.sum, run.aborted ? " The run was aborted: this is what there was." : ""),
        element("ul", {class: "counts", "aria-label": "Verdicts by kind"}, [...counts].map(([status, count]) =>
            element("li", {class: kind(status)}, element("strong", {}, String(count)), ` ${status.toLowerCase()}`))),
        looks.length ? element("section", {class: "looks", "aria-label": "What needs a look"}, looks.slice(0, 50).map(look)) : "",
        element("div", {class: "table-head"}, element("h2", {}, "Scenarios"), search),
        element("div", {class: "table"}, element("table", {},
            element("thead", {}, element("tr", {}, element("th", {scope: "col"}, "id"), element("th", {scope: "col"}, "what happened"),
                worlds.map((world) => element("th", {scope: "col"}, world)))),
            element("tbody", {}, rows))),
        element("p", {class: "quiet facts-line"}, Object.entries(run.versions).map(([key, value]) => `${key} ${value}`).join(" · ")),
        run.leftOut ? element("p", {class: "notice"}, `${Format.plural(run.leftOut, "timeline")} had no room in this page. `,
            "Repeat the subject alone, or keep its folder (--keep) and use squall report.") : "");
  }

  return {draw, badge, command, check, name, kind, needsLook, WORDS};
})();
