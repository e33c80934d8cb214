import {
  ActivityCancellationType, ActivityFailure, ApplicationFailure, CancellationScope, ChildWorkflowFailure, condition,
  continueAsNew, defineQuery, defineSignal, defineUpdate, executeChild, isCancellation, patched, proxyActivities,
  proxyLocalActivities, setHandler, sleep, workflowInfo,
} from '@temporalio/workflow';
import type * as activities from './activities';

const act = proxyActivities<typeof activities>({
  startToCloseTimeout: '30s',
  heartbeatTimeout: '10s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: '20ms', backoffCoefficient: 1, maximumAttempts: 3 },
});
const local = proxyLocalActivities<typeof activities>({ startToCloseTimeout: '30s' });

export const add = defineSignal<[string]>('add');
export const what = defineQuery<string>('what');
export const set = defineUpdate<string, [string]>('set');

export async function activitiesTour(): Promise<unknown[]> {
  const seen: unknown[] = [
    await act.echo('hello'), await act.failsTwice(), await act.resumesFromHeartbeat(), await local.echo('local')];
  try {
    await act.failsForGood();
  } catch (error) {
    if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) throw error;
    seen.push(error.retryState, error.cause.type, error.cause.message, error.cause.details);
  }
  const scope = new CancellationScope();
  const beats = scope.run(() => act.beatsUntilCancelled());
  await sleep(200);
  scope.cancel();
  await beats.catch((error) => seen.push(isCancellation(error) ? 'cancelled' : String(error)));
  return seen;
}

export async function child(how: string): Promise<string> {
  if (how === 'fail') throw ApplicationFailure.create({ message: 'child failed', type: 'ChildFailure' });
  if (how === 'wait') await condition(() => false);
  return `child ${how}`;
}

export async function children(): Promise<unknown[]> {
  const seen: unknown[] = [await executeChild(child, { args: ['fine'] })];
  await executeChild(child, { args: ['fail'] }).catch((error: ChildWorkflowFailure) => {
    seen.push(error.retryState, (error.cause as ApplicationFailure).type, error.cause?.message);
  });
  const scope = new CancellationScope();
  const waiting = scope.run(() => executeChild(child, { args: ['wait'] }));
  await sleep(100);
  scope.cancel();
  await waiting.catch((error) => seen.push(isCancellation(error) ? 'cancelled' : String(error)));
  return seen;
}

export async function timers(): Promise<unknown[]> {
  await sleep(50);
  return [await condition(() => false, '50ms'), patched('a-patch'), workflowInfo().attempt];
}

export async function messages(): Promise<string[]> {
  const signals: string[] = [];
  let state = 'waiting';
  setHandler(add, (text) => void signals.push(text));
  setHandler(what, () => state);
  setHandler(set, async (to) => {
    await sleep(10);
    const old = state;
    state = to;
    return old;
  }, { validator: (to) => { if (to === 'bad') throw ApplicationFailure.create({ message: 'refused', type: 'Bad' }); } });
  await condition(() => signals.length >= 2 && state === 'set');
  return [...signals.sort(), state];
}

export async function counts(left: number, done: number): Promise<number> {
  if (left > 0) await continueAsNew<typeof counts>(left - 1, done + 1);
  return done;
}

export async function waits(): Promise<void> {
  try {
    await condition(() => false);
  } catch (error) {
    await CancellationScope.nonCancellable(() => act.echo('clean-up'));
    throw error;
  }
}
