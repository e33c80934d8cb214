// A worker on the real TypeScript SDK, as a subject of scenarios: squall-worker's lifecycle lines and environment, and those
// of its workflows that need no more than Ping, Echo, Timer, Slow and Flaky.    worker.ts [--grace SECONDS]
//
// The SDK's own handlers stop it gracefully on SIGTERM and SIGINT.
// Exit codes: 0 stopped as asked; 1 fatal at run time; 2 wrong usage or configuration; 3 could not start.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { DefaultLogger, NativeConnection, Runtime, Worker, type NativeConnectionOptions } from '@temporalio/worker';
import * as activities from './activities';
import { setTaskQueue, write } from './lifecycle';

const env = (name: string): string | undefined => process.env[name] || undefined;
const file = (name: string): Buffer | undefined => {
  const path = env(name);
  return path === undefined ? undefined : readFileSync(path);
};

function connection(): NativeConnectionOptions {
  const options: NativeConnectionOptions = { address: env('TEMPORAL_ADDRESS'), apiKey: env('TEMPORAL_API_KEY') };
  if (env('TEMPORAL_TLS') !== 'true') return { ...options, tls: false };
  const crt = file('TEMPORAL_TLS_CLIENT_CERT_PATH');
  const key = file('TEMPORAL_TLS_CLIENT_KEY_PATH');
  return {
    ...options,
    tls: {
      serverNameOverride: env('TEMPORAL_TLS_SERVER_NAME'),
      serverRootCACertificate: file('TEMPORAL_TLS_SERVER_CA_CERT_PATH'),
      clientCertPair: crt && key ? { crt, key } : undefined,
    },
  };
}

function leave(code: number, why?: unknown): never {
  if (why !== undefined) {
    const { name, message } = why as Error;
    write('fatal', { detail: `${name}: ${message}` });
  }
  write('stopped', { exit_code: code });
  process.exit(code);
}

async function main(): Promise<void> {
  const taskQueue = env('TEMPORAL_TASK_QUEUE');
  if (taskQueue === undefined) leave(2, new Error('TEMPORAL_TASK_QUEUE is not set: name the queue to work on'));
  setTaskQueue(taskQueue);
  const grace = process.argv.indexOf('--grace');
  // The worker tells its state by its log alone.
  const logger = new DefaultLogger('INFO', ({ level, message, meta }) => {
    if (message === 'Worker state changed' && meta?.state === 'RUNNING') write('polling', { detail: 'workflow,activity' });
    if (message === 'Worker state changed' && meta?.state === 'STOPPING') write('stopping');
    if (level !== 'INFO') process.stderr.write(`${level} ${message}\n`);
  });
  Runtime.install({ logger });
  let worker: Worker;
  try {
    write('connecting');
    const native = await NativeConnection.connect(connection());
    write('connected');
    worker = await Worker.create({
      connection: native,
      namespace: env('TEMPORAL_NAMESPACE'),
      taskQueue,
      activities,
      workflowBundle: { codePath: join(__dirname, 'workflow-bundle.js') }, // made by tools/setup-typescript.sh
      shutdownGraceTime: grace > 0 ? Number(process.argv[grace + 1]) * 1000 : 10_000,
      interceptors: {
        activity: [
          (context: Context) => ({
            inbound: {
              async execute(input, next) {
                const { activityType, workflowExecution } = context.info;
                write('task', { task: activityType, workflow_id: workflowExecution?.workflowId ?? '', detail: 'activity' });
                return await next(input);
              },
            },
          }),
        ],
      },
    });
  } catch (error) {
    leave(3, error);
  }
  write('started');
  try {
    await worker.run();
  } catch (error) {
    leave(1, error);
  }
  leave(0);
}

void main();
