"""Rows of the measured facts, and what a journal says of each.

A file of rows holds cases:

    [[case]]
    section = "1. Connect"
    name = "refused"
    run = "connect/refused"                       # scenario/subject
    see = "log.* process={p}"                     # events whose texts are looked at; default: all output of the process
    fate = "exits 3"                              # of the process before the end of the steps; left out: not looked at
    time = "process.starting process={p} -> process.exited process={p}"
    PY = ['regular expression of the symptom', 'class of time']
    TS = [...]
    differs.TS = {symptom = '...', fate = '...', time = '...', why = "..."}   # what is seen instead

{p} is the process: the SDK's name in small letters as scenarios name their workers (py, go, ts, tsc), or what `process`
says. `see` may begin with "count " (the symptom is then their number) or "seconds " (nothing but the time is looked at), and
end with " from EVENT" and " until EVENT". Times are from one event to the first other one behind it, or "line": the "seconds" that the
line told in which the symptom was found. Events are written as in docs/checks.md, with #n for the n-th of them.
"""

import dataclasses
import json
import os
import re
import tomllib

PROCESSES = {"PY": "py", "TS": "ts", "TS-client": "tsc", "Go": "go"}
FIELD = re.compile(r"(\w+)=(/.*?/(?=\s|$)|\S+)|#(\d+)")
SHOWN = 220  # characters of a text in the table


def scale():
    """On a machine that is slow or busy with other things: a row that is later than its class differs, but is excused up to so
    many times the class's upper end."""
    return float(os.environ.get("SQUALL_TIMEOUT_SCALE") or 1)


def classes(folder):
    return tomllib.loads((folder / "classes.toml").read_text())


class Selector:
    """KIND.WORD key=value key=/expression/ #n"""

    def __init__(self, text):
        kind_and_word, _, fields = text.partition(" ")
        self.kind, self.what = kind_and_word.split(".")
        self.nth = 1
        self.fields = []
        for key, value, nth in FIELD.findall(fields):
            if nth:
                self.nth = int(nth)
                continue
            whole = not value.startswith("/")
            self.fields.append((key, re.compile(re.escape(value) + r"\Z" if whole else value[1:-1]), whole))

    def takes(self, event):
        if event["kind"] != self.kind or self.what not in ("*", event["what"]):
            return False
        for key, expression, whole in self.fields:
            text = str(event.get(key, ""))
            if not (expression.match(text) if whole else expression.search(text)):
                return False
        return True

    def first(self, events, after=-1):
        """Its time: that of the n-th such event after `after`."""
        left = self.nth
        for event in events:
            if event["t_ns"] > after and self.takes(event):
                left -= 1
                if not left:
                    return event["t_ns"]
        return None


def text_of(event):
    """What a reader of the event's source would have read, and the seconds that it told."""
    if event["kind"] == "process":
        return f"{event['what']} {event.get('exit_code', '')}".strip(), None
    text = str(event.get("line") or event.get("result") or event.get("detail", ""))
    if text.startswith("{") and '"measured":' in text:
        told = json.loads(text)
        rest = {k: v for k, v in told.items() if k not in ("error", "seconds", "measured")}
        text = told["measured"] + ": " + (told.get("error") or "OK") + "".join(f" {k}={v}" for k, v in rest.items())
        return text, told.get("seconds")
    if text.startswith('{"squall_event"'):
        return "", None
    return text, None


@dataclasses.dataclass
class Row:
    section: str
    case: str
    run: str
    sdk: str
    symptom: str
    fate: str
    time: str
    symptom_seen: str = ""
    fate_seen: str = ""
    time_seen: float | None = None
    verdict: str = ""
    why: str = ""
    findings: list = dataclasses.field(default_factory=list)


def fate_of(process, events):
    """Until the steps are over: afterwards squall itself ends what runs."""
    started = False
    for event in events:
        if event["kind"] == "run" and event["what"] == "judging":
            break
        if event["kind"] == "process" and event["process"] == process:
            started = True
            if event["what"] == "exited":
                return f"exits {event['exit_code']}" if "exit_code" in event else f"killed by {event['signal']}"
    return "stays up" if started else "was not started"


def cut_out(text, events):
    """`see` without its limits, and the events between them."""
    text, _, until = text.partition(" until ")
    text, _, since = text.partition(" from ")
    since = Selector(since).first(events) if since else -1
    if since is None:
        return text, None
    until = Selector(until).first(events, since) if until else None
    return text, [e for e in events if e["t_ns"] > since and (until is None or e["t_ns"] <= until)]


def look(row, case, process, expected, events, scale=1):
    """Fills in what was seen where `expected` (symptom, fate, class) is looked for; the findings are what differs."""
    symptom, fate, time = expected
    findings = []
    see, chosen = cut_out(case.get("see", "log.* process={p}").replace("{p}", process), events)
    mode = see.split(" ", 1)[0]
    if mode in ("count", "seconds"):
        see = see.split(" ", 1)[1]
    texts = [text_of(e) for e in chosen or () if Selector(see).takes(e)]
    told = None
    if mode == "count" and chosen is not None:  # what never began has no count
        texts = [(str(len(texts)), None)]
    shown = ""
    if symptom:
        for text, seconds in texts:
            found = re.search(symptom, text)
            if found:
                begin = max(0, found.start() - 20) if len(text) > SHOWN else 0
                shown, told = text[begin:begin + SHOWN], seconds
                break
        else:
            shown = next((text for text, _ in texts if text), "(nothing)")[:SHOWN]
            told = next((s for _, s in texts if s is not None), None)
            findings.append(f"symptom {symptom!r}, seen {shown!r}")
    row.symptom_seen = neutral(shown)
    if fate:
        row.fate_seen = fate_of(process, events)
        if not re.fullmatch(fate, row.fate_seen):
            findings.append(f"process {fate}, seen {row.fate_seen}")
    if time:
        row.time_seen = told
        spec = case["time"].replace("{p}", process)
        if spec != "line":
            begin, end = (Selector(part) for part in spec.split(" -> "))
            since = begin.first(events)
            until = end.first(events, since) if since is not None else None
            row.time_seen = (until - since) / 1e9 if until is not None else None
        low, high = CLASSES[time]
        if row.time_seen is None or not low <= row.time_seen <= high * scale:
            findings.append(f"time {time}, seen {row.time_seen}")
    return findings


def neutral(text):
    text = re.sub(r"\b(127\.0\.0\.1|localhost|\[::1\]):\d+", r"\1:PORT", text)
    text = re.sub(r"20\d\d-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}", "ID", text)
    return re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\n", " ")


def rows(folder, journals):
    global CLASSES
    CLASSES = classes(folder)
    result = []
    for path in sorted(folder.glob("*.toml")):
        for case in tomllib.loads(path.read_text()).get("case", []) if path.name != "classes.toml" else []:
            for sdk in PROCESSES:
                if sdk in case:
                    result.append(one(case, sdk, journals.get(case["run"])))
    return result


def one(case, sdk, events):
    symptom, time = case[sdk]
    fate = case.get("fate", "")
    fate = fate.get(sdk, "") if isinstance(fate, dict) else fate
    row = Row(case["section"], case["name"], case["run"], sdk, symptom, fate, time)
    process = case.get("process", "{p}").replace("{p}", PROCESSES[sdk])
    if events is None:
        row.verdict, row.findings = "MISSING", ["the scenario was not run"]
        return row
    row.findings = look(row, case, process, (symptom, fate, time), events)
    row.verdict = "DIFFERS" if row.findings else "as expected"
    if row.findings and not look(row, case, process, (symptom, fate, time), events, scale()):
        row.verdict, row.why = "differs, explained", f"Late, on a busy machine: within {scale():g} times its class."
        return row
    instead = case.get("differs", {}).get(sdk)
    if row.findings and instead:
        expected = tuple(instead.get(k, v) for k, v in (("symptom", symptom), ("fate", fate), ("time", time)))
        again = look(row, case, process, expected, events, scale())
        if not again:
            row.verdict, row.why = "differs, explained", instead["why"]
        row.findings += [f"instead: {finding}" for finding in again]
    return row
