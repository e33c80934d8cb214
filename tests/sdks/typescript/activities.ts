import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';

export async function echo(text: string): Promise<string> {
  return text;
}

export async function failsTwice(): Promise<number> {
  const { attempt } = Context.current().info;
  if (attempt < 3) throw ApplicationFailure.create({ message: `attempt ${attempt}`, type: 'Tired' });
  return attempt;
}

export async function failsForGood(): Promise<void> {
  throw ApplicationFailure.nonRetryable('never again', 'Fatal', 'detail');
}

export async function beatsUntilCancelled(): Promise<void> {
  for (;;) {
    Context.current().heartbeat('alive');
    await Context.current().sleep(50);
  }
}

export async function resumesFromHeartbeat(): Promise<unknown> {
  const { attempt, heartbeatDetails } = Context.current().info;
  if (attempt === 1) {
    Context.current().heartbeat(7);
    throw new Error('after a heartbeat');
  }
  return heartbeatDetails;
}
