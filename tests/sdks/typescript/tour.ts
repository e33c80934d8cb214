// A tour of Temporal through the real TypeScript SDK: each stop prints one line that must be the same on every correct
// server.    tour.ts ADDRESS
import { randomUUID } from 'node:crypto';
import { Client, Connection, ScheduleOverlapPolicy, WithStartWorkflowOperation } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import * as activities from './activities';
import * as flows from './workflows';

const say = (stop: string, value: unknown) => console.log(`| ${stop}: ${JSON.stringify(value)}`);

// The result, or the kind and words of the failure.
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    return (await promise) ?? null;
  } catch (error) {
    const { name, cause, code } = error as Error & { cause?: Error; code?: number };
    return { name, code, cause: cause && `${cause.name}: ${cause.message}` };
  }
}

async function tour(client: Client, taskQueue: string, nonce: string) {
  const wf = client.workflow;
  const id = (name: string) => ({ workflowId: `${nonce}-${name}`, taskQueue });
  const events = async (name: string) =>
    (await wf.getHandle(`${nonce}-${name}`).fetchHistory()).events?.map((event) => event.eventType);

  say('activities', await outcome(wf.execute(flows.activitiesTour, id('activities'))));
  say('children', await outcome(wf.execute(flows.children, id('children'))));
  say('timers', await outcome(wf.execute(flows.timers, id('timers'))));
  say('timers events', await events('timers'));
  say('continue as new', await outcome(wf.execute(flows.counts, { ...id('counts'), args: [3, 0] })));

  const handle = await wf.start(flows.messages, id('messages'));
  await handle.signal(flows.add, 'one');
  say('update refused', await outcome(handle.executeUpdate(flows.set, { args: ['bad'] })));
  say('update', await outcome(handle.executeUpdate(flows.set, { args: ['set'] })));
  say('query', await handle.query(flows.what));
  await handle.signal(flows.add, 'two');
  say('messages', await outcome(handle.result()));
  say('query when closed', await handle.query(flows.what));

  const begun = await wf.signalWithStart(flows.messages, { ...id('sws'), signal: flows.add, signalArgs: ['first'] });
  const start = new WithStartWorkflowOperation(flows.messages, { ...id('sws'), workflowIdConflictPolicy: 'USE_EXISTING' });
  say('update with start', await outcome(wf.executeUpdateWithStart(flows.set, { args: ['set'], startWorkflowOperation: start })));
  await begun.signal(flows.add, 'second');
  say('signal with start', await outcome(begun.result()));

  const waiting = await wf.start(flows.waits, id('waits'));
  say('started twice', await outcome(wf.start(flows.waits, id('waits'))));
  await waiting.cancel();
  say('cancelled', await outcome(waiting.result()));
  const again = await wf.start(flows.waits, id('waits'));
  await again.terminate('by the tour');
  say('terminated', await outcome(again.result()));
  say('signal when closed', await outcome(again.signal(flows.add, 'x')));
  say('no such workflow', await outcome(wf.getHandle(`${nonce}-none`).describe()));
  say('timed out', await outcome(wf.execute(flows.waits, { ...id('timeout'), workflowRunTimeout: '1s' })));

  const options = {
    scheduleId: `${nonce}-schedule`,
    spec: { intervals: [{ every: '1h' as const }] },
    action: { type: 'startWorkflow' as const, workflowType: flows.child, args: ['scheduled'] as [string], taskQueue,
      workflowId: `${nonce}-by-schedule` },
    state: { paused: true, note: 'made by the tour' },
  };
  const schedule = await client.schedule.create(options);
  say('schedule twice', await outcome(client.schedule.create(options)));
  await schedule.trigger(ScheduleOverlapPolicy.ALLOW_ALL);
  let described = await schedule.describe();
  for (let i = 0; i < 200 && !(described.info.numActionsTaken === 1 && described.info.runningActions.length === 0); ++i) {
    await new Promise((resolve) => setTimeout(resolve, 50)); // its own state comes later than its workflow's end
    described = await schedule.describe();
  }
  say('schedule', [described.info.numActionsTaken, described.info.recentActions.length, described.state.paused,
    described.state.note]);
  await schedule.unpause('go on');
  described = await schedule.describe();
  say('schedule unpaused', [described.state.paused, described.state.note, described.info.nextActionTimes.length]);
  await schedule.delete();
  say('schedule deleted', await outcome(schedule.describe()));
}

async function main() {
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
  const address = process.argv[2];
  const nonce = randomUUID().slice(0, 8);
  const taskQueue = `${nonce}-queue`;
  const native = await NativeConnection.connect({ address });
  const worker = await Worker.create({ connection: native, taskQueue, activities, workflowsPath: require.resolve('./workflows') });
  const client = new Client({ connection: await Connection.connect({ address }) });
  await worker.runUntil(tour(client, taskQueue, nonce));
  console.log('| tour: done');
  await client.connection.close();
  await native.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
