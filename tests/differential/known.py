"""Where the fake does not answer as an older release does, each seen by scripts and kept, with the reason; docs/fake-server.md
tells users the same. The newest release has none."""

import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Known:
    until: str  # the first release that does not have it
    seen: str  # a regular expression, found in the lines that differ
    what: str  # as in docs/fake-server.md


DIFFERENCES = (
    Known("1.31", r'"EVENT_TYPE_WORKFLOW_TASK_SCHEDULED"',
          "after a workflow task that failed over a command of Nexus, the next attempt stands in the history at once"),
    Known("1.31", r'"N-reset-\d+": \{', "a run that a reset made remembers the start's request id, not the reset's"),
    Known("1.31", r"WorkflowId is not set on request",
          "an activity answered by its id alone is looked for among standalone ones"),
    Known("1.31", r"BuildID cannot be empty", "a ramp to workers without a version is looked at before it is refused"),
    Known("1.32", r"workflow update was aborted by closing workflow|MultiOperationExecutionAborted",
          "an update-with-start is aborted with the run that closes, where the release carries it to a new run"),
    Known("1.32", r"unable to convert filter expression", "the error of an unknown search attribute in a query is shorter"),
    Known("1.32", r'\+ +"last_modifier_identity"', "a version that was only created has no last modifier"),
    Known("1.32", r'\+ +"message": "activity not found for ID',
          "a standalone activity that is answered by its id is found"),
    Known("1.30", r'"search_attributes": \{\}', "a list shows search attributes that are empty"),
    Known("1.30", r'invalid path \\"priority\\"', "an update of options knows the path `priority`"),
    Known("1.30", r"Version cannot be deleted since", "the error of a deployment version that is in use names it"),
)


def parts(release):
    return tuple(int(part) for part in release.split("."))


def known(release, difference):
    """The entry that this difference belongs to; None when it is news."""
    if release is None:
        return None
    lines = "\n".join(line for line in difference.splitlines() if line[:1] in "+-" and line[:3] not in ("---", "+++"))
    return next((entry for entry in DIFFERENCES if parts(release) < parts(entry.until) and re.search(entry.seen, lines)), None)
