import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { PACE, say } from './say';

export async function quick(): Promise<string> {
  say('quick', { workflow: Context.current().info.workflowExecution?.workflowId });
  return 'quick done';
}

export async function slow(seconds: number, beats: boolean): Promise<number> {
  const context = Context.current();
  const { attempt, workflowExecution, taskQueue } = context.info;
  const about = { attempt, workflow: workflowExecution?.workflowId, queue: taskQueue };
  say('attempt', about);
  const end = Date.now() + seconds * 1000;
  try {
    while (Date.now() < end) {
      if (beats) context.heartbeat();
      await context.sleep(PACE);
    }
  } catch (error) {
    if (error instanceof CancelledFailure) say('cancelled', about);
    throw error;
  }
  say('effect', about);
  return attempt;
}
