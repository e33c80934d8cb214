"use strict";
// Which part of the page is shown, by the address behind #; keys that work everywhere; colours; paper.
const App = (() => {
  const run = Data.run;
  let open = null;  // {plot, detail} of the subject shown

  function subjectHead(s, position, timeline) {
    const around = (by) => run.subjects[position + by];
    const step = (s, word) => (s ? element("a", {href: `#${encodeURI(s.key)}`, rel: word === "Previous" ? "prev" : "next", "aria-label": `${word}: ${Overview.name(s)} in ${s.world}`},
                                              word === "Previous" ? "←" : "→") : null);
    const failed = s.checks.filter((c) => c.outcome !== "pass");
    const passed = s.checks.filter((c) => c.outcome === "pass");
    const violation = (check) => timeline && timeline.violations.find((v) => v.check === check && v.placed);
    const jump = (c) => {
      const found = violation(c.check);
      return found ? element("button", {type: "button", class: "jump", "aria-label": `Show where ${c.check} broke`, onclick: () => showViolation(found)},
                             `at ${Format.duration(found.at)}`) : null;
    };
    const expected = (c) => s.expectedFailures.includes(c.check);
    // What is broken seldom gets through its steps: that is not what it was caught by.
    const aside = (c) => s.status === "CAUGHT" && !expected(c);
    return element("div", {class: "head"},
        element("div", {class: "title-line"},
            element("h1", {}, Overview.name(s)), Overview.badge(s),
            element("span", {class: "quiet"}, [s.world, s.skipped ? "" : Format.duration(s.took), s.began.slice(0, 19).replace("T", " ") + " UTC"].filter(Boolean).join(" · ")),
            element("span", {class: "steps"}, step(around(-1), "Previous"), step(around(1), "Next"))),
        element("p", {class: "scenario-title"}, s.title),
        s.skipped ? element("p", {class: "notice"}, `Did not run: ${s.skipped}`) : "",
        s.explanation && failed.length === 0 ? element("p", {class: "notice"}, s.explanation) : "",
        s.leaks.length ? element("p", {class: "notice"}, `Left behind: ${s.leaks.join(", ")}`) : "",
        failed.length || passed.length ? element("div", {class: "checks"},
            failed.map((c) => element("div", {class: `violation ${c.outcome} ${expected(c) ? "expected" : aside(c) ? "aside" : ""}`},
                element("p", {class: "kicker"}, element("strong", {}, c.check),
                    c.outcome === "unknown" ? "cannot be told" : expected(c) ? "violated, as this subject was to show" : aside(c) ? "not met, which is not counted here" : "violated", jump(c)),
                Overview.check(c))),
            passed.length ? element("details", {class: "passed"}, element("summary", {}, `${Format.plural(passed.length, "check")} passed`), passed.map((c) => Overview.check(c))) : "") : "",
        s.repeat ? Overview.command(s.repeat) : "");
  }

  function showViolation(violation) {
    const {plot} = open;
    const timeline = plot.timeline;
    const index = timeline.items.findIndex((item) => item[LOOK] === Look.flag && item[BEGIN] === violation.at &&
        timeline.strings[item[LABEL]].startsWith(violation.check + ":"));
    if (index >= 0) plot.select(index);
    plot.root.scrollIntoView({block: "nearest"});
    plot.surface.focus({preventScroll: true});
  }

  function showSubject(position) {
    const s = run.subjects[position];
    const timeline = Data.timeline(position);
    const into = byId("subject");
    document.title = `${Overview.name(s)} · squall`;
    if (!timeline) {
      into.replaceChildren(subjectHead(s, position, null),
          s.skipped ? "" : element("p", {class: "notice"}, "There is no timeline: the journal could not be read, or the page had no room left."),
          s.lastLines.length ? element("pre", {}, s.lastLines.join("\n")) : "");
      return;
    }
    let detail = null;
    const plot = new Plot(timeline, `${Overview.name(s)} in ${s.world}`, (index) => detail && detail.show(index), () => detail && detail.refresh());
    detail = new Detail(timeline, plot);
    open = {plot, detail};
    timeline.filter("");
    into.replaceChildren(subjectHead(s, position, timeline), element("div", {class: "stage"}, plot.root, detail.root),
        timeline.leftOut ? element("p", {class: "notice"}, `${Format.plural(timeline.leftOut, "item")} of calls, polls and output had no room here; journal.jsonl has them.`) : "");
    plot.place();
    detail.refresh();
    window.squallPlot = plot;  // for whoever measures
  }

  function route() {
    if (open) {
      open.plot.close();
      open.detail.close();
      open = null;
    }
    byId("tip").hidden = true;
    let key = decodeURI(location.hash.slice(1));
    // A run of one subject has nothing to look over.
    if (!key && run.subjects.length === 1) key = run.subjects[0].key;
    const position = run.subjects.findIndex((s) => s.key === key);
    const overview = position < 0;
    byId("overview").hidden = !overview;
    byId("subject").hidden = overview;
    byId("to-overview").hidden = overview || run.subjects.length === 1;
    document.body.classList.toggle("at-subject", !overview);
    if (overview) {
      document.title = `squall · ${run.began.slice(0, 16).replace("T", " ")}`;
      Overview.draw(run, byId("overview"));
    } else {
      showSubject(position);
    }
    window.scrollTo(0, 0);
  }

  // --- colours

  const THEMES = ["system", "light", "dark"];
  let theme = "system";

  function setTheme(next) {
    theme = next;
    if (next === "system") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = next;
    byId("theme").textContent = {system: "◐", light: "○", dark: "●"}[next];
    byId("theme").setAttribute("aria-label", `Colours: ${next === "system" ? "as the system" : next}`);
    repaint();
  }

  function repaint() {
    Plot.colours = null;
    if (open) {
      open.plot.stripOf = null;
      open.plot.redraw();
    }
  }

  function legend() {
    const signs = [["dot", "good", "a goal: ready, connected, completed"], ["ring", "plain", "begun, its end not seen yet"], ["cross", "bad", "failed, refused, reset, ended unasked"],
                   ["diamond", "warn", "done on purpose: a signal, a request"], ["tick", "plain", "a line of output, a task, a hit"], ["flag", "bad", "a rule was violated here"]];
    const colours = Paint.palette();
    byId("legend").replaceChildren(...signs.map(([look, tone, words]) => {
      const canvas = element("canvas", {width: 40, height: 40, "aria-hidden": "true"});
      const ctx = canvas.getContext("2d");
      ctx.scale(2, 2);
      Paint.mark(ctx, Look[look], 10, 10, 18, colours.tones[Tone[tone]], colours);
      return element("li", {}, canvas, words);
    }), element("li", {}, element("span", {class: "swatch pending"}), "begun, not in force yet"), element("li", {}, element("span", {class: "swatch bar"}), "in force"),
    element("li", {}, element("span", {class: "swatch shade"}), "a fault is in force"));
  }

  function start() {
    const parts = [run.began.slice(0, 19).replace("T", " ") + " UTC", run.worlds.join(" and "), `seed ${run.seed}`, `squall ${run.squall}`];
    byId("run-line").textContent = parts.join(" · ");
    setTheme("system");
    byId("theme").addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]));
    const help = () => { legend(); byId("help").showModal(); };
    byId("help-open").addEventListener("click", help);
    byId("skip").addEventListener("click", (event) => {
      event.preventDefault();
      byId("main").focus();
    });
    document.addEventListener("keydown", (event) => {
      const writing = /^(INPUT|TEXTAREA)$/.test(event.target.tagName);
      if (writing && event.key === "Escape") return event.target.blur();
      if (writing || event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
      if (event.key === "?") help();
      const field = byId(open ? "filter" : "find");
      if (event.key === "/" && field) {
        event.preventDefault();
        field.focus();
      }
      if (open && (event.key === "n" || event.key === "p") && event.target !== open.plot.surface) {
        open.plot.surface.focus({preventScroll: true});
        open.plot.key(event);
      }
    });
    window.addEventListener("hashchange", route);
    // Paper is white, and shows all lanes.
    window.addEventListener("beforeprint", () => {
      document.documentElement.dataset.theme = "light";
      if (open) open.plot.print(true);
    });
    window.addEventListener("afterprint", () => {
      if (open) open.plot.print(false);
      setTheme(theme);
    });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    route();
  }

  return {start};
})();
App.start();
