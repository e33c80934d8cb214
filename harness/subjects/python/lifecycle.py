"""Lifecycle lines on standard output: one JSON object per line, flushed, as fakes/worker/lifecycle.h writes them.

The words of "squall_event" and the keys are those of journal::WorkerEvent (docs/journal.md).
"""

import json
import os
import sys
import threading

_lock = threading.Lock()
_task_queue = ""


def set_task_queue(name: str) -> None:
    global _task_queue
    _task_queue = name


def write(what: str, **fields: object) -> None:
    line = {"squall_event": what, "pid": os.getpid()}
    if _task_queue:
        line["task_queue"] = _task_queue
    line.update({key: value for key, value in fields.items() if value not in ("", None)})
    with _lock:
        try:
            sys.stdout.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
            sys.stdout.flush()
        except (BrokenPipeError, ValueError):
            pass  # a reader that went away must not end the worker


def leave(code: int) -> None:
    """Ends the process at once, after the last line.

    The interpreter's own shutdown crashes now and then with the SDK's threads (ground-truth.md: SIGABRT or SIGSEGV after
    8 of 15 successful runs): the exit code would say nothing.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
