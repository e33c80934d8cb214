// Each thing measured is a JSON line on standard output (python/subject.py).
import { writeSync } from 'node:fs';

export const PACE = 200; // ms between a client's calls, and between heartbeats

export function say(measured: string, more: Record<string, unknown> = {}, begun?: number, error?: unknown): void {
  const line: Record<string, unknown> = { measured, ...more };
  if (begun !== undefined) line.seconds = (performance.now() - begun) / 1000;
  if (error !== undefined) {
    const texts: string[] = [];
    for (let each = error as Error | undefined; each; each = each.cause as Error | undefined) {
      texts.push(`${each.name}: ${each.message}`);
    }
    line.error = texts.join(' <- ');
  }
  // At once: a line must be seen when it is written, also when the process ends right after.
  writeSync(1, `${JSON.stringify(line)}\n`);
}
