// A small program on the TypeScript SDK, without any resilience of its own: what is seen is what the SDK does.
//
//     subject.js connect                    connects once, as workers do (NativeConnection: core)
//     subject.js connect-client             connects once, as clients do (Connection: grpc-js)
//     subject.js worker [--grace SECONDS]   connects and works on Quick and Slow; SIGUSR1 closes the connection under it
//     subject.js client [--once]            connects, then starts a workflow again and again
//     subject.js closed                     calls over a connection that it has closed
//
// Address, namespace, queue and TLS come from the TEMPORAL_* variables. Exit codes: 0 as asked, 1 the worker failed, 3 could
// not start.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { PACE, say } from './say';

const env = (name: string): string | undefined => process.env[name] || undefined;
const file = (name: string): Buffer | undefined => {
  const path = env(name);
  return path === undefined ? undefined : readFileSync(path);
};
const option = (name: string): string | undefined => {
  const at = process.argv.indexOf(name);
  return at > 0 ? process.argv[at + 1] ?? '' : undefined;
};

function connectionOptions() {
  if (env('TEMPORAL_TLS') !== 'true') return { address: env('TEMPORAL_ADDRESS'), tls: false };
  const crt = file('TEMPORAL_TLS_CLIENT_CERT_PATH');
  const key = file('TEMPORAL_TLS_CLIENT_KEY_PATH');
  return {
    address: env('TEMPORAL_ADDRESS'),
    tls: {
      serverNameOverride: env('TEMPORAL_TLS_SERVER_NAME'),
      serverRootCACertificate: file('TEMPORAL_TLS_SERVER_CA_CERT_PATH'),
      clientCertPair: crt && key ? { crt, key } : undefined,
    },
  };
}

// The one that failed; what a failed start leaves behind must not keep the process.
async function step<T>(measured: string, code: number, action: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  try {
    const result = await action();
    say(measured, {}, begun);
    return result;
  } catch (error) {
    say(measured, {}, begun, error);
    process.exit(code);
  }
}

async function work(): Promise<void> {
  const { NativeConnection, Runtime, DefaultLogger, Worker } = await import('@temporalio/worker');
  Runtime.install({
    logger: new DefaultLogger('WARN', ({ level, message, meta }) =>
      process.stderr.write(`${level} ${message} ${JSON.stringify(meta ?? {}, (key, value) =>
        value instanceof Error ? `${value.name}: ${value.message}` : key === 'workflowsPath' ? undefined : value)}\n`)),
  });
  const connection = await step('connect', 3, () => NativeConnection.connect(connectionOptions()));
  if (process.argv[2] === 'connect') process.exit(0);
  const worker = await step('create', 3, async () => Worker.create({
    connection,
    namespace: env('TEMPORAL_NAMESPACE'),
    taskQueue: env('TEMPORAL_TASK_QUEUE')!,
    activities: await import('./activities'),
    workflowBundle: process.argv.includes('--activities-only') ? undefined
      : { codePath: join(__dirname, 'workflow-bundle.js') }, // made by tools/prove-measured.sh
    shutdownGraceTime: Number(option('--grace') ?? 0) * 1000,
  }));
  process.on('SIGUSR1', () => {
    const begun = performance.now();
    connection.close().then(() => say('closed', {}, begun), (error) => say('closed', {}, begun, error));
  });
  const running = step('worker', 1, () => worker.run());
  process.stdout.write('{"squall_event":"polling"}\n');
  await running;
  process.exit(0);
}

async function call(): Promise<void> {
  const { Client, Connection } = await import('@temporalio/client');
  const connection = await step('connect', 3, () => Connection.connect(connectionOptions()));
  if (process.argv[2] === 'connect-client') process.exit(0);
  process.stdout.write('{"squall_event":"connected"}\n');
  const client = new Client({ connection, namespace: env('TEMPORAL_NAMESPACE') });
  if (process.argv[2] === 'closed') await connection.close();
  const once = process.argv[2] === 'closed' || process.argv.includes('--once');
  for (let number = 0; ; ++number) {
    const begun = performance.now();
    try {
      await client.workflow.start('Nobody', { workflowId: `${env('TEMPORAL_TASK_QUEUE')}-${number}`, taskQueue: 'nobody' });
      say('call', {}, begun);
    } catch (error) {
      say('call', {}, begun, error);
    }
    if (once) process.exit(0);
    await pause(PACE);
  }
}

void (['connect', 'worker'].includes(process.argv[2]) ? work() : call());
