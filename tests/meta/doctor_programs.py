"""What the tests of squall doctor share: the real programs, started and asked. Usage of each: TEST BIN-FOLDER DOCUMENT [--write]."""
import atexit
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BIN, DOCUMENT = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
WRITE = sys.argv[3:] == ["--write"]
SCALE = float(os.environ.get("SQUALL_TIMEOUT_SCALE", "1"))
HEALTHY, BROKEN, UNKNOWN, USAGE = 0, 1, 2, 3
FOLDER = tempfile.mkdtemp(prefix="squall-doctor-test-")
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
# Nothing of the machine's own settings.
CLEAN = {"PATH": os.environ["PATH"], "HOME": FOLDER}
CLEAN |= {name: os.environ[name] for name in os.environ if name.endswith("SAN_OPTIONS")}


def doctor(*arguments, expect=None, env=None, program="squall-doctor", stdin=None):
    command = [BIN / "squall", *arguments] if program == "squall" else [BIN / program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 * SCALE, env=CLEAN | (env or {}), cwd=FOLDER,
                          input=stdin)
    assert expect is None or done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def judged(*arguments, expect, env=None):
    return json.loads(doctor(*arguments, "--json", expect=expect, env=env))


@contextlib.contextmanager
def serving(program, *arguments):
    with subprocess.Popen([BIN / program, "--die-with-parent", *arguments], stdout=subprocess.PIPE, text=True) as process:
        ready = json.loads(process.stdout.readline())
        try:
            yield ready
        finally:
            process.terminate()
            process.wait(60 * SCALE)


def write(name, text):
    path = os.path.join(FOLDER, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def keep_part(begin, end, text):
    """The part of the document between two marks is `text`, or becomes it."""
    old = DOCUMENT.read_text(encoding="utf-8")
    before, found, rest = old.partition(begin)
    part, closed, after = rest.partition(end)
    assert found and closed, f"the marks {begin.strip()} and {end} are missing"
    if WRITE:
        DOCUMENT.write_text(before + begin + text + end + after, encoding="utf-8")
    else:
        assert part == text, f"{DOCUMENT}: the part behind {begin.strip()} is not what it should be; repeat with --write"


def run_all(tests):
    for name, test in tests.items():
        if name.startswith("test_"):
            test()
            print(f"ok {name}", flush=True)
