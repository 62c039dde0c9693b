/** From a measured loss to a row of the report, and to the verdict whether it is allowed. */
import { expect, type TestInfo } from '@playwright/test';
import { FAULTS, ROW_ATTACHMENT, type FaultId, type Row } from './fault-table.ts';
import { describeLoss, type Loss } from './loss.ts';

/** Whether every row is measured at full length, and the report written. */
export const FULL = process.env.LOSS_REPORT === 'full';

/** A gap on the timeline also has what was lost at the page's end, and the recorder's start. */
const GAP_TOLERANCE_MS = 500;

/** Records what the runs of a test have lost, and fails if one lost more than is allowed. */
export async function recordLoss(
  testInfo: TestInfo,
  id: FaultId,
  runs: Loss | Loss[],
  notes = '',
): Promise<void> {
  const losses = Array.isArray(runs) ? runs : [runs];
  const gaps = losses.flatMap((loss) => loss.gapsMs);
  const row: Row = {
    id,
    lostMs: worst(losses.map((loss) => loss.lostMs)),
    repeatedMs: worst(losses.map((loss) => loss.repeatedMs)),
    gapMs: gaps.length > 0 ? worst(gaps) : null,
    endMs: worst(losses.map((loss) => loss.endMs)),
    resolutionMs: worst(losses.map((loss) => loss.resolutionMs)),
    runs: losses.length,
    notes,
  };
  await testInfo.attach(ROW_ATTACHMENT, {
    body: JSON.stringify(row),
    contentType: 'application/json',
  });
  const description = losses.map(describeLoss).join('\n    ');
  console.log(`    ${id}: ${description}${notes && `\n    ${notes}`}`);

  const { allowedLostMs } = FAULTS[id];
  for (const loss of losses) {
    const limitMs = allowedLostMs > 0 ? allowedLostMs + loss.resolutionMs : 0;
    expect(loss.lostMs - loss.withheldMs, describeLoss(loss)).toBeLessThanOrEqual(limitMs);
    expect(loss.repeatedMs, describeLoss(loss)).toBe(0);
    loss.gapsMs.forEach((gapMs, i) => {
      const differenceMs = gapMs - (loss.awayMs[i] as number);
      expect(Math.abs(differenceMs), describeLoss(loss)).toBeLessThan(GAP_TOLERANCE_MS);
    });
    for (const { account } of loss.parts) {
      expect(account.unexpected, describeLoss(loss)).toEqual([]);
      expect(account.holes, describeLoss(loss)).toEqual([]);
    }
  }
}

function worst(figures: number[]): number {
  return Math.round(Math.max(0, ...figures));
}
