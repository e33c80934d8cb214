// The built-in workflows, by the same names and with the same results as in C++ and Python.
import { proxyActivities, sleep } from '@temporalio/workflow';
import type * as activities from './activities';

const { echo } = proxyActivities<typeof activities>({ startToCloseTimeout: '30s' });
const { slow } = proxyActivities<typeof activities>({
  startToCloseTimeout: '2m', heartbeatTimeout: '5s', retry: { maximumAttempts: 5 },
});
const { flaky } = proxyActivities<typeof activities>({
  startToCloseTimeout: '30s', retry: { initialInterval: '1s', maximumAttempts: 5 },
});

export async function Ping(x?: unknown): Promise<unknown> {
  return x ?? null;
}

export async function Echo(x?: unknown): Promise<unknown> {
  return await echo(x ?? null);
}

export async function Timer(ms: number): Promise<string> {
  await sleep(ms);
  return 'done';
}

export async function Slow(seconds: number): Promise<string> {
  return await slow(seconds);
}

export async function Flaky(failures: number): Promise<number> {
  return await flaky(failures);
}
