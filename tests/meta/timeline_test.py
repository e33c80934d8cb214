#!/usr/bin/env python3
"""The timeline page in a real browser: it opens from disk without a complaint, everything has a name, keys and pointer work, no
text becomes markup, and a journal of 100,000 events stays quick. Shown red first: pages that were damaged must be refused.

Usage: timeline_test.py REPORTS_SAMPLE
       timeline_test.py --page FILE...               looks at given pages: complaints and names only
       timeline_test.py --picture FILE KEY PNG       as docs/images/timeline-*.png were made; KEY is E10/broken@fake
"""
import json
import os
import subprocess
import sys
import tempfile

import browser

LARGE = 100_000


def check(held, told):
    assert held, told


def problems(page):
    return page.complaints() + [f"no name: {what}" for what in page.nameless()]


def opened(chromium, path, **more):
    page = browser.Page(chromium, path, **more)
    page.settle()
    return page


def shown(page, position):
    """The page at the subject of this position."""
    page.run("new Promise((done) => { addEventListener('hashchange', () => done(1), {once: true}); "
             f"location.hash = encodeURI(Data.run.subjects[{position}].key); }})")
    page.settle()


def damaged(path, folder, name, insert):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    place = text.rindex("</body>")
    red = os.path.join(folder, name)
    with open(red, "w", encoding="utf-8") as file:
        file.write(text[:place] + insert + text[place:])
    return red


def test_damaged_pages_are_refused(chromium, path, folder):
    for name, insert, expected in (
            ("error.html", "<script>console.error('red')</script>", "console.error: red"),
            ("warning.html", "<script>console.warn('red')</script>", "console.warning: red"),
            ("thrown.html", "<script>undefinedFunction()</script>", "thrown: ReferenceError"),
            ("rejected.html", "<script>Promise.reject(new Error('red'))</script>", "thrown: Error: red"),
            ("request.html", "<img alt='x' src='http://elsewhere.example/x.png'>", "Content Security Policy"),
            ("nameless.html", "<button type='button'></button>", "no name: button")):
        page = opened(chromium, damaged(path, folder, name, insert))
        found = problems(page)
        check(any(expected in one for one in found), f"{name}: '{expected}' was not noticed, only {found}")
        page.close()


def test_overview(chromium, path):
    page = opened(chromium, path)
    check(problems(page) == [], problems(page))
    check(page.run("document.title").startswith("squall"), page.run("document.title"))
    check(page.run("document.querySelector('#overview h1').textContent") == "7 subjects need a look", page.run("document.querySelector('#overview h1').textContent"))
    check(page.run("document.querySelectorAll('#overview .pill').length") == 12, "a link for each subject")
    page.run("(() => { const f = document.getElementById('find'); f.value = 'E1'; f.dispatchEvent(new Event('input')); })()")
    shown = page.run("[...document.querySelectorAll('tbody tr')].filter((row) => !row.hidden).length")
    check(0 < shown < page.run("document.querySelectorAll('tbody tr').length"), f"{shown} rows are left by the filter")
    page.close()


def test_subject(chromium, path):
    page = opened(chromium, path)
    shown(page, 0)
    check(problems(page) == [], problems(page))
    lanes = page.run("[...document.querySelectorAll('.lane-name')].map((n) => n.textContent)")
    check(lanes == ["checks", "steps", "refuse on wire", "temporal", "w", "wire", "PollWorkflowTaskQueue", "q (workflow)", "order-1", "w"], lanes)
    for part in ("#surface", "#filter", "#events", "#subject .command code", "#subject .violation"):
        check(page.run(f"document.querySelector('{part}') !== null"), f"{part} is missing")
    check(page.run("document.querySelector('#subject .command code').textContent").startswith("squall run E1/broken"), "the command that repeats it")
    # The canvas holds a picture, not one colour.
    colours = page.run("""(() => {
      const canvas = document.querySelector('#surface canvas');
      const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      const seen = new Set();
      for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3]) seen.add(pixels[i] << 16 | pixels[i + 1] << 8 | pixels[i + 2]);
      return seen.size;
    })()""")
    check(colours > 20, f"{colours} colours")

    # Keys: n leads to the violation, 0 and Enter zoom, the arrows walk.
    page.run("document.getElementById('surface').focus()")
    page.key("n")
    chosen = "document.querySelector('#selection h3')?.textContent"
    # The first trouble of this story is the first refused attempt; the violation stands at 3.81 s.
    check(page.run(chosen) == "attempt, connection 1", page.run(chosen))
    check("attempt, connection 1, connections wire" in page.run("document.getElementById('live').textContent"), "it is announced")
    page.key("ArrowRight")
    check(page.run(chosen) == "attempt, connection 2", page.run(chosen))
    text = page.run("document.getElementById('selection').textContent")
    check("after the one before100 ms" in text and "since refuse140 ms" in text and "fault idoutage" in text, text)
    for _ in range(12):
        if page.run(chosen) == "stays_up: fail":
            break
        page.key("n")
    check(page.run(chosen) == "stays_up: fail", page.run(chosen))
    check("at3.810000 s" in page.run("document.getElementById('selection').textContent"), "it stands where it broke")
    span = "squallPlot.view.t1 - squallPlot.view.t0"
    whole = page.run(span)
    page.key("Enter")
    close = page.run(span)
    check(close < whole / 4, f"{close} of {whole}")
    page.key("-")
    check(close < page.run(span) < whole, page.run(span))
    before = page.run("squallPlot.view.t0")
    page.key("ArrowLeft", shift=True)
    check(page.run("squallPlot.view.t0") < before, "it pans")
    page.key("0")
    check(abs(page.run(span) - whole) < 1, "all of it again")
    page.key("ArrowDown")
    check(page.run(chosen) not in (None, "stays_up: fail"), "another lane")
    page.key("Escape")
    check(page.run(chosen) is None, "nothing is selected")

    # The pointer: the wheel zooms around it, a click selects what lies under it.
    box = page.run("(() => { const b = document.getElementById('surface').getBoundingClientRect(); return [b.left, b.top, b.width]; })()")
    page.mouse("mouseWheel", box[0] + box[2] / 2, box[1] + 40, deltaX=0, deltaY=-300)
    page.settle()
    check(page.run(span) < whole * 0.8, "the wheel zooms")
    page.key("0")
    at = page.run("""(() => {
      const p = squallPlot, n = p.timeline.items.findIndex((i) => p.timeline.strings[i[7]] === 'running' && p.timeline.laneOf(p.timeline.items.indexOf(i)).name === 'w');
      const item = p.timeline.items[n], place = p.places.find((q) => q.lane && q.lane.index === item[0]);
      return [Paint.xOf(p.view, p.width, (item[2] + item[3]) / 2), place.y + Paint.LANE_PAD + 8 - p.scroller.scrollTop];
    })()""")
    page.click(box[0] + at[0], box[1] + at[1])
    check(page.run(chosen) == "running", page.run(chosen))

    # Filter by text and by lane.
    page.run("(() => { const f = document.getElementById('filter'); f.value = 'charge'; f.dispatchEvent(new Event('input')); })()")
    page.settle()
    check(page.run("[...document.querySelectorAll('.lane-name')].map((n) => n.textContent)") == ["order-1"], "only lanes with a match")
    page.run("(() => { const f = document.getElementById('filter'); f.value = ''; f.dispatchEvent(new Event('input')); })()")
    page.run("document.querySelector('.chip[data-group=connections]').click()")
    page.settle()
    check("wire" not in page.run("[...document.querySelectorAll('.lane-name')].map((n) => n.textContent)"), "the group is hidden")
    page.run("document.querySelector('.hide').click()")
    check("checks" not in page.run("[...document.querySelectorAll('.lane-name')].map((n) => n.textContent)"), "the lane is hidden")

    # Focus can be seen, and the help opens and closes by key.
    page.run("document.getElementById('surface').focus()")
    page.key("Tab")
    check(page.run("document.activeElement !== document.body && getComputedStyle(document.activeElement).outlineStyle !== 'none'"), "the focus is visible")
    page.key("?")
    check(page.run("document.getElementById('help').open"), "? opens the help")
    check(problems(page) == [], problems(page))
    page.key("Escape")
    check(not page.run("document.getElementById('help').open"), "Esc closes it")
    check(problems(page) == [], problems(page))
    page.close()


def test_texts_stay_texts(chromium, path):
    page = opened(chromium, path)
    shown(page, 0)
    page.run("(() => { const f = document.getElementById('filter'); f.value = 'onerror'; f.dispatchEvent(new Event('input')); })()")
    page.settle()
    line = page.run("document.querySelector('#events .what')?.textContent")
    check(line and line.startswith("</script><img src=x onerror="), f"the hostile line is not there as text: {line}")
    check(page.run("document.images.length") == 0, "a text became an image")
    with open(path, encoding="utf-8") as file:
        check("sk-live" not in file.read(), "a secret is in the page")
    check(problems(page) == [], problems(page))
    page.close()


def test_narrow_dark_and_paper(chromium, path):
    for width in (375, 768, 1100, 1920):
        for dark in (False, True):
            page = opened(chromium, path, width=width, height=800, dark=dark)
            shown(page, 0)
            page.settle()
            wide = page.run("document.documentElement.scrollWidth")
            check(wide <= width, f"at {width} the page is {wide} wide")
            check(problems(page) == [], problems(page))
            page.close()
    page = opened(chromium, path)
    shown(page, 0)
    page.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
    check(problems(page) == [], problems(page))
    check(page.run("document.documentElement.dataset.theme === undefined"), "the colours of the screen are back")
    page.close()


def test_a_large_journal_stays_quick(chromium, path):
    page = opened(chromium, path)
    took = page.run("""(async () => {
      const frame = () => new Promise((done) => requestAnimationFrame(() => done()));
      const began = performance.now();
      const changed = new Promise((done) => addEventListener('hashchange', () => done(), {once: true}));
      location.hash = encodeURI(Data.run.subjects[1].key);
      await changed; await frame(); await frame();
      const open = performance.now() - began;
      const draws = [];
      for (let i = 0; i < 40; ++i) {
        if (i % 2) squallPlot.pan(0.1); else squallPlot.zoom(i < 20 ? 0.6 : 1.7);
        await frame(); await frame();
        draws.push(Plot.lastDraw);
      }
      squallPlot.fit();
      await frame(); await frame();
      const whole = Plot.lastDraw;
      const filter = performance.now();
      document.getElementById('filter').value = 'error';
      squallPlot.applyFilter();
      const filtered = performance.now() - filter;
      draws.sort((a, b) => a - b);
      return {items: squallPlot.timeline.items.length, open, median: draws[20], worst: draws.at(-1), whole, filtered};
    })()""")
    print(f"  {LARGE} events, {took['items']} items: opened in {took['open']:.0f} ms, drawn in {took['median']:.1f} ms (median of 40 windows, "
          f"worst {took['worst']:.1f}, all of it {took['whole']:.1f}), filtered in {took['filtered']:.0f} ms; the file has {os.path.getsize(path) / 1e6:.1f} MB")
    check(took["items"] > LARGE / 2, took)
    # A person's limits, with room for a slow machine: 3 s to open, 10 frames a second.
    check(took["open"] < 3000 * browser.SCALE, took)
    check(took["median"] < 100 * browser.SCALE and took["whole"] < 250 * browser.SCALE, took)
    check(problems(page) == [], problems(page))
    page.close()


def look(paths):
    bad = 0
    with browser.Browser(browser.find()) as chromium:
        for path in paths:
            page = opened(chromium, path)
            keys = page.run("Data.run.subjects.filter((s) => s.timeline).map((s) => s.key)")
            found = problems(page)
            for key in keys:
                shown(page, f"Data.run.subjects.findIndex((s) => s.key === {json.dumps(key)})")
                found += [f"{key}: {one}" for one in problems(page)]
            print(f"{path}: {len(keys)} timelines, {len(found)} complaints", *found[:20], sep="\n  ")
            bad += len(found)
            page.close()
    return 1 if bad else 0


def picture(path, key, into):
    with browser.Browser(browser.find()) as chromium:
        page = opened(chromium, path, width=1100, height=830)
        shown(page, f"Data.run.subjects.findIndex((s) => s.key === {json.dumps(key)})")
        page.run("document.querySelector('.jump')?.click()")
        page.screenshot(into)
        print(f"{into}: {os.path.getsize(into) // 1000} kB", *problems(page), sep="\n  ")
    return 0


def main():
    if browser.find() is None:
        print("chromium is not installed (tools/setup.sh installs it)")
        return 1
    if sys.argv[1] == "--page":
        return look(sys.argv[2:])
    if sys.argv[1] == "--picture":
        return picture(*sys.argv[2:])
    with tempfile.TemporaryDirectory() as folder, browser.Browser(browser.find()) as chromium:
        subprocess.run([sys.argv[1], folder, str(LARGE)], check=True, timeout=120 * browser.SCALE)
        large = os.path.join(folder, "large.html")
        os.rename(os.path.join(folder, "timeline.html"), large)
        subprocess.run([sys.argv[1], folder], check=True, timeout=60 * browser.SCALE)
        path = os.path.join(folder, "timeline.html")
        for name, test in (("damaged pages are refused", lambda: test_damaged_pages_are_refused(chromium, path, folder)),
                           ("overview", lambda: test_overview(chromium, path)), ("subject", lambda: test_subject(chromium, path)),
                           ("texts stay texts", lambda: test_texts_stay_texts(chromium, path)),
                           ("narrow, dark, and paper", lambda: test_narrow_dark_and_paper(chromium, path)),
                           ("a large journal stays quick", lambda: test_a_large_journal_stays_quick(chromium, large))):
            test()
            print(f"ok: {name}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
