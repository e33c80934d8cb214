#!/usr/bin/env python3
"""Runs generated scripts of RPCs on the fake server and on the real one, in step, and compares everything seen.

After each operation both sides must come to the same state: the same answer, the same history of every run, the same
description of everything touched, once identifiers and moments are replaced (subjects.py). The real server works in the
background, so its state may lag: it is asked again until it agrees or SETTLE_S has passed. A script that shows a difference
is made smaller by Hypothesis before it is printed.

    differential.py --server build/dev/bin/squall-server --temporal .venv/bin/temporal [--examples 25] [--seed 1]

Exit code: 0 no difference, 1 a difference, 2 wrong usage, 3 a server did not start.
"""

import argparse
import asyncio
import collections
import sys
import time

import hypothesis
from hypothesis import HealthCheck, Phase, given, seed, settings

import drawing
import known
import subjects
from lockstep import Difference, Lockstep


# One script in so many may show a difference that does not come again; at least one of a short run.
MOST_PASSING = 100


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", required=True, help="squall-server")
    parser.add_argument("--temporal", required=True, help="the Temporal CLI")
    parser.add_argument("--profile", help="the release that squall-server shall answer as")
    parser.add_argument("--examples", type=int, default=25, help="number of scripts (default 25)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the generator (default 1)")
    parser.add_argument("--theme", action="append", default=[], choices=drawing.THEMES,
                        help="only scripts of this theme; may be repeated")
    parser.add_argument("--survey", action="store_true",
                        help="go on after a difference; print each kind of difference once, with how often it was seen")
    return parser.parse_args()


class Proof:
    """The scripts so far, and what they showed."""

    def __init__(self, args, fake, real, loop):
        self.args, self.fake, self.real, self.loop = args, fake, real, loop
        self.started, self.scripts, self.operations = time.monotonic(), 0, 0
        self.survey = {}  # kind of difference -> (script, difference) of each time it was seen
        self.passing = 0  # differences that did not come again
        self.known = collections.Counter()  # known.py's, with how many scripts showed them

    def run(self):
        args = self.args

        @seed(args.seed)
        @settings(max_examples=args.examples, deadline=None, database=None, print_blob=False, report_multiple_bugs=False,
                  suppress_health_check=list(HealthCheck),
                  phases=(Phase.generate,) if args.survey else (Phase.generate, Phase.shrink))
        @given(drawing.scripts(args.theme))
        def same_on_both(script):
            self.one(script)

        same_on_both()

    def compare(self, script):
        """The difference that a script shows, or None, and how many operations it took."""
        lockstep = Lockstep(self.fake, self.real)
        try:
            self.loop.run_until_complete(lockstep.run(script))
        except Difference as difference:
            return difference, lockstep.steps
        return None, lockstep.steps

    def one(self, script):
        difference, steps = self.compare(script)
        if difference and (entry := known.known(self.args.profile, str(difference))):
            self.known[entry.what] += 1
            difference = None
        if difference and not any(self.compare(script)[0] for _ in range(2)):
            # The real server takes calls that wait (queries, updates) through several services: under load a later call may
            # pass one. What never comes again is told, and few of them are no difference.
            self.passing += 1
            print(f"      seen once of three times: {difference}".replace("\n", "\n      "), flush=True)
            difference = None
        if difference:
            if not self.args.survey:
                raise difference
            kind = "\n".join(line for line in str(difference).splitlines()[1:] if line[:1] in "+-")
            self.survey.setdefault(kind, []).append((script, difference))
        self.scripts += 1
        self.operations += steps
        if self.scripts % 25 == 0:
            print(f"{self.scripts:5d} scripts, {self.operations} operations, {self.seconds():.0f} s", flush=True)

    def seconds(self):
        return time.monotonic() - self.started

    def print_survey(self):
        for number, (_, seen) in enumerate(sorted(self.survey.items(), key=lambda item: -len(item[1])), 1):
            script, difference = min(seen, key=lambda s: len(s[0]))
            print(f"\n=== difference {number}, in {len(seen)} scripts ===")
            print("\n".join(f"  {operation}" for operation in script))
            print(difference)
        print(f"\ndifferential: {len(self.survey)} kinds of difference in {self.scripts} scripts")


def main():
    args = arguments()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    fake, real = subjects.fake(args.server, args.profile), subjects.real(args.temporal)
    proof = Proof(args, fake, real, loop)
    try:
        for subject in (fake, real):
            loop.run_until_complete(subject.__aenter__())
        proof.run()
    except RuntimeError as error:
        print(f"differential: {error}", file=sys.stderr)
        return 3
    except Difference as difference:
        print(f"\nDIFFERENCE after {proof.scripts} scripts without one. The script:\n")
        for note in getattr(difference, "__notes__", ()):
            print(note)
        print(f"\n{difference}")
        return 1
    finally:
        for subject in (fake, real):
            loop.run_until_complete(subject.__aexit__())
    if proof.survey:
        proof.print_survey()
        return 1
    for what, count in proof.known.most_common():
        print(f"known, in {count} scripts: {what}")
    other = "other " if proof.known else ""
    print(f"differential: {proof.scripts} scripts, {proof.operations} operations, no {other}difference, {proof.passing} seen once "
          f"of three times (seed {args.seed}, hypothesis {hypothesis.__version__}, {proof.seconds():.0f} s)")
    if (proof.passing - 1) * MOST_PASSING > proof.scripts:
        print(f"differential: more than one in {MOST_PASSING} scripts is unsteady", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
