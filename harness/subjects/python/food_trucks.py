#!/usr/bin/env python3
"""A's scraper: what the command line counts, and the same as a workflow. On the command line it prints the count.

--broken accumulate (of worker.py) keeps what was found in the process: an attempt that is retried counts twice.
"""

import asyncio
from datetime import timedelta
from typing import List

from temporalio import activity, workflow

SITES = ("stoup", "urban-family", "obec")
EVENTS_OF_SITE = 4
STEPS_OF_SITE = 3  # a page each

accumulate = False
_found: List[str] = []


async def scrape(site: str) -> List[str]:
    """What one site announces; takes a moment, as the network does."""
    if not accumulate:
        return [f"{site} {n}" for n in range(EVENTS_OF_SITE)]
    _found.extend(f"{site} {n}" for n in range(EVENTS_OF_SITE))
    return list(_found)


@activity.defn(name="scrape_all")
async def scrape_all() -> List[str]:
    found: List[str] = []
    for site in SITES:
        part = await scrape(site)
        found = part if accumulate else found + part
        for _ in range(STEPS_OF_SITE):
            activity.heartbeat(site)
            await asyncio.sleep(0.1)
    return found


@workflow.defn(name="FoodTrucks")
class FoodTrucks:
    @workflow.run
    async def run(self) -> str:
        found = await workflow.execute_activity(
            "scrape_all", start_to_close_timeout=timedelta(seconds=30), heartbeat_timeout=timedelta(seconds=1), result_type=list
        )
        return f"found {len(found)} events"


async def main() -> None:
    count = 0
    for site in SITES:
        count += len(await scrape(site))
    print(f"found {count} events", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
