// Lifecycle lines on standard output, as fakes/worker/lifecycle.h writes them; words and keys are those of
// journal::WorkerEvent (docs/journal.md).
import { writeSync } from 'node:fs';

let taskQueue = '';

export function setTaskQueue(name: string): void {
  taskQueue = name;
}

export function write(what: string, fields: Record<string, string | number | undefined> = {}): void {
  const line: Record<string, unknown> = { squall_event: what, pid: process.pid, task_queue: taskQueue || undefined, ...fields };
  // Written at once: a line must be seen when it is written, also when the process ends right after.
  writeSync(1, `${JSON.stringify(line)}\n`);
}
