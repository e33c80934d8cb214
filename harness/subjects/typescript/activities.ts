// The built-in activities (fakes/worker/builtins.h). Each has one side effect, at the end of its body.
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { write } from './lifecycle';

function tellEffect(name: string): void {
  const workflowId = Context.current().info.workflowExecution?.workflowId ?? '';
  write('effect', { task: `${name}/${workflowId}`, workflow_id: workflowId });
}

export async function echo(x: unknown): Promise<unknown> {
  tellEffect('echo');
  return x;
}

export async function slow(seconds: number): Promise<string> {
  const end = Date.now() + seconds * 1000;
  for (let beats = 1, left = seconds * 1000; left > 0; ++beats, left = end - Date.now()) {
    Context.current().heartbeat(beats);
    await Context.current().sleep(Math.min(1000, left));
  }
  tellEffect('slow');
  return 'slow done';
}

export async function flaky(failures: number): Promise<number> {
  const { attempt } = Context.current().info;
  if (attempt <= failures) throw ApplicationFailure.create({ message: `attempt ${attempt}`, type: 'Tired' });
  tellEffect('flaky');
  return attempt;
}
