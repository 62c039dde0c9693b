/** The record page as a candidate uses it, and what it says about itself. */
import { expect, type Locator, type Page } from '@playwright/test';

export type RecorderState =
  | 'idle'
  | 'acquiring'
  | 'recording'
  | 'paused'
  | 'finishing'
  | 'done'
  | 'error';

export class RecordPage {
  readonly recorder: Locator;
  readonly startButton: Locator;
  readonly pauseButton: Locator;
  readonly resumeButton: Locator;
  readonly stopButton: Locator;
  readonly viewLink: Locator;
  /** What an earlier page left, and the ways on. */
  readonly unfinished: Locator;
  readonly resumeRecordingButton: Locator;
  readonly finishButton: Locator;
  /** The kinds of recording to choose from. */
  readonly kinds: Locator;
  readonly secondMicrophone: Locator;

  constructor(readonly page: Page) {
    this.recorder = page.locator('[data-state]');
    this.startButton = page.getByRole('button', { name: 'Start recording' });
    this.pauseButton = page.getByRole('button', { name: 'Pause' });
    this.resumeButton = page.getByRole('button', { name: 'Resume', exact: true });
    this.stopButton = page.getByRole('button', { name: 'Stop and save' });
    this.viewLink = page.getByRole('link', { name: 'View recording' });
    this.unfinished = page.getByRole('region', { name: 'Unfinished recording' });
    this.resumeRecordingButton = page.getByRole('button', { name: 'Resume recording' });
    this.finishButton = page.getByRole('button', { name: 'Finish and save' });
    this.kinds = page.getByRole('group', { name: 'What is recorded' });
    this.secondMicrophone = page.getByRole('combobox', { name: 'Second microphone' });
  }

  /** Opens the page without the sound processing that would eat the tones, and waits for its code. */
  async open(): Promise<void> {
    await this.page.goto('/record?processing=off');
    await this.expectState('idle');
    await expect(this.startButton).toBeEnabled();
  }

  /** Chooses what is recorded, by its name. */
  async choose(kind: string): Promise<void> {
    await this.kinds.getByRole('radio', { name: kind, exact: true }).check();
  }

  async start(): Promise<void> {
    await this.startButton.click();
    await this.expectState('recording');
  }

  async pause(): Promise<void> {
    await this.pauseButton.click();
    await this.expectState('paused');
  }

  async resume(): Promise<void> {
    await this.resumeButton.click();
    await this.expectState('recording');
  }

  /** Goes on with what an earlier page left. */
  async resumeRecording(): Promise<void> {
    await this.resumeRecordingButton.click();
    await this.expectState('recording');
    await expect(this.unfinished).toBeHidden();
  }

  /** Stops, and returns the session's id when everything is safe on the server. */
  async stopAndSave(): Promise<string> {
    await this.stopButton.click();
    return this.expectDone();
  }

  async expectDone(timeoutMs = 20_000): Promise<string> {
    await this.expectState('done', timeoutMs);
    expect(await this.pending()).toBe(0);
    return this.sessionId();
  }

  async expectState(state: RecorderState, timeoutMs = 10_000): Promise<void> {
    await expect(this.recorder).toHaveAttribute('data-state', state, { timeout: timeoutMs });
  }

  async expectLink(link: 'online' | 'reconnecting', timeoutMs = 15_000): Promise<void> {
    await expect(this.recorder).toHaveAttribute('data-link', link, { timeout: timeoutMs });
  }

  /** How many items the server has not yet acknowledged. */
  async pending(): Promise<number> {
    return Number(await this.recorder.getAttribute('data-pending'));
  }

  async sessionId(): Promise<string> {
    const id = await this.recorder.getAttribute('data-session-id');
    expect(id, 'the record page names its session').toBeTruthy();
    return id as string;
  }
}
