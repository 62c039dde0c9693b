// Draws the sounds of the recording, and lets the reader seek and zoom in them. The page plays without.

const HEAD_BYTES = 12;
const FINEST_BUCKET_SECONDS = 0.01;
/** Buckets asked for at first, and how much finer each further time. */
const BUCKETS_AT_FIRST = 4_000;
const FINER = 8;
const SHORTEST_VIEW_SECONDS = 1;
const ZOOM_STEP = 2;
const KEY_STEPS = { ArrowLeft: -5, ArrowRight: 5, PageDown: -30, PageUp: 30 };
const TRY_AGAIN_MS = 3_000;
const NOT_DRAWN_YET = 503;

/** The peaks of the whole recording, at most so many; undefined when there are none. */
async function fetchPeaks(address, max) {
  for (;;) {
    const response = await fetch(`${address}${address.includes('?') ? '&' : '?'}max=${max}`);
    if (response.ok) {
      const bytes = await response.arrayBuffer();
      const level = new DataView(bytes).getUint8(5);
      const pairs = new Int8Array(bytes, HEAD_BYTES);
      return { max, pairs, count: pairs.length / 2, bucket: FINEST_BUCKET_SECONDS * 2 ** level };
    }
    if (response.status !== NOT_DRAWN_YET) {
      return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
  }
}

class Waveform {
  constructor(box, player, peaks) {
    this.box = box;
    this.player = player;
    this.peaks = peaks;
    this.canvas = box.querySelector('canvas');
    this.slider = box.querySelector('[role="slider"]');
    this.length = Number(box.dataset.seconds);
    this.marks = [...box.querySelectorAll('[data-seek]')].map((button) => ({
      at: Number(button.dataset.seek),
      kind: button.dataset.kind,
      button,
    }));
    this.show(0, this.length);
    this.listen();
    box.hidden = false;
    this.draw();
  }

  listen() {
    const { box, player, slider } = this;
    new ResizeObserver(() => this.draw()).observe(slider);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
    player.addEventListener('timeupdate', () => this.follow());
    player.addEventListener('seeked', () => this.follow());
    player.addEventListener('play', () => this.animate());
    slider.addEventListener('pointerdown', (event) => {
      slider.setPointerCapture(event.pointerId);
      this.seek(this.timeAt(event.clientX));
    });
    slider.addEventListener('pointermove', (event) => {
      if (slider.hasPointerCapture(event.pointerId)) {
        this.seek(this.timeAt(event.clientX));
      }
    });
    slider.addEventListener('keydown', (event) => this.key(event));
    slider.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    for (const { at, button } of this.marks) {
      button.addEventListener('click', () => this.seek(at));
    }
    for (const button of box.querySelectorAll('[data-zoom]')) {
      button.addEventListener('click', () => this.zoom(Number(button.dataset.zoom)));
    }
  }

  key(event) {
    const steps = { ...KEY_STEPS, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step !== undefined && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      this.seek(this.player.currentTime + step);
    }
  }

  wheel(event) {
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.ctrlKey) {
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, this.timeAt(event.clientX));
    } else if (sideways !== 0 && this.to - this.from < this.length) {
      event.preventDefault();
      const moved = (sideways / this.slider.clientWidth) * (this.to - this.from);
      this.show(this.from + moved, this.to + moved);
    }
  }

  timeAt(clientX) {
    const { left, width } = this.slider.getBoundingClientRect();
    return this.from + ((clientX - left) / width) * (this.to - this.from);
  }

  seek(seconds) {
    this.player.currentTime = Math.min(Math.max(seconds, 0), this.length);
    this.follow();
  }

  /** By 0 everything is shown again. */
  zoom(factor, around = this.player.currentTime) {
    if (factor === 0) {
      this.show(0, this.length);
      return;
    }
    const shown = this.to - this.from;
    const wanted = Math.max(shown / factor, Math.min(SHORTEST_VIEW_SECONDS, this.length));
    const inside = around >= this.from && around <= this.to ? around : (this.from + this.to) / 2;
    const from = inside - ((inside - this.from) / shown) * wanted;
    this.show(from, from + wanted);
  }

  show(from, to) {
    const shown = Math.min(to - from, this.length);
    this.from = Math.min(Math.max(from, 0), this.length - shown);
    this.to = this.from + shown;
    this.draw();
    void this.refine();
  }

  /** Fetches finer peaks once what is shown has fewer than the screen has columns. */
  async refine() {
    const { bucket, count, max } = this.peaks;
    const columns = this.slider.clientWidth * devicePixelRatio;
    const isCoarse = (this.to - this.from) / bucket < columns && bucket > FINEST_BUCKET_SECONDS;
    if (this.isRefining || !isCoarse) {
      return;
    }
    this.isRefining = true;
    const finer = await fetchPeaks(this.box.dataset.peaks, Math.max(max, count) * FINER);
    this.isRefining = false;
    if (finer && finer.bucket < bucket) {
      this.peaks = finer;
      this.draw();
      void this.refine();
    }
  }

  /** Keeps the place that is played in sight. */
  follow() {
    const { currentTime } = this.player;
    if (currentTime < this.from || currentTime > this.to) {
      const half = (this.to - this.from) / 2;
      this.show(currentTime - half, currentTime + half);
    }
    this.draw();
  }

  animate() {
    this.follow();
    if (!this.player.paused && !this.player.ended) {
      requestAnimationFrame(() => this.animate());
    }
  }

  draw() {
    const { canvas, slider, player } = this;
    const width = Math.round(slider.clientWidth * devicePixelRatio);
    const height = Math.round(slider.clientHeight * devicePixelRatio);
    if (width === 0) {
      return;
    }
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const style = getComputedStyle(this.box);
    const colour = (name) => style.getPropertyValue(name).trim();
    const pen = canvas.getContext('2d');
    const place = (seconds) => ((seconds - this.from) / (this.to - this.from)) * width;
    pen.clearRect(0, 0, width, height);
    const played = place(player.currentTime);
    const [before, after] = [colour('--accent'), colour('--edge')];
    for (let column = 0; column < width; column++) {
      pen.fillStyle = column < played ? before : after;
      this.column(pen, column, width, height);
    }
    for (const { at, kind } of this.marks) {
      if (at >= this.from && at <= this.to) {
        pen.fillStyle = colour(kind === 'pause' ? '--warn' : '--bad');
        pen.fillRect(Math.round(place(at)), 0, Math.max(1, devicePixelRatio), height);
      }
    }
    pen.fillStyle = colour('--ink');
    pen.fillRect(Math.round(played), 0, Math.max(1, devicePixelRatio), height);
    this.tell();
  }

  /** The loudest of what falls on one column. */
  column(pen, column, width, height) {
    const { pairs, count, bucket } = this.peaks;
    const seconds = (this.to - this.from) / width;
    const first = Math.floor((this.from + column * seconds) / bucket);
    const last = Math.max(first + 1, Math.floor((this.from + (column + 1) * seconds) / bucket));
    let low = 0;
    let high = 0;
    for (let i = first; i < Math.min(last, count); i++) {
      low = Math.min(low, pairs[2 * i]);
      high = Math.max(high, pairs[2 * i + 1]);
    }
    const scale = height / 256;
    const top = height / 2 - high * scale;
    pen.fillRect(column, top, 1, Math.max(devicePixelRatio, (high - low) * scale));
  }

  tell() {
    const seconds = Math.floor(this.player.currentTime);
    if (this.told !== seconds) {
      this.told = seconds;
      this.slider.setAttribute('aria-valuenow', String(seconds));
      this.slider.setAttribute('aria-valuetext', `${clock(seconds)} of ${clock(this.length)}`);
    }
  }
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

for (const box of document.querySelectorAll('.waveform')) {
  const player = document.querySelector('.player :is(audio, video)');
  const peaks = player && (await fetchPeaks(box.dataset.peaks, BUCKETS_AT_FIRST));
  if (peaks && peaks.count > 0) {
    new Waveform(box, player, peaks);
  }
}
