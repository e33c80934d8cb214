import { proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities';

const { quick } = proxyActivities<typeof activities>({ startToCloseTimeout: '10s' });
const { slow } = proxyActivities<typeof activities>({
  startToCloseTimeout: '60s', heartbeatTimeout: '5s', retry: { maximumAttempts: 5 },
});

export async function Quick(): Promise<string> {
  return await quick();
}

// An activity of six seconds that tells which attempt it took.
export async function Slow(): Promise<number> {
  return await slow(6, true);
}
