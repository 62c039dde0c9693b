// Takes a picture from a camera's stream every so often, the first as soon as there is one, and hands
// it over as a JPEG of at most so many bytes, with the time when it was taken: what is above that is made
// again, coarser.
const QUALITIES = [0.8, 0.5, 0.2];

export class StillsTaker {
  constructor(stream, everyMs, bytesMax, onPicture) {
    this.everyMs = everyMs;
    this.bytesMax = bytesMax;
    this.onPicture = onPicture;
    this.camera = document.createElement('video');
    this.camera.muted = true;
    this.camera.srcObject = stream;
    this.camera.onloadeddata = () => this.resume();
    // A camera that is gone before its first picture is reported as ended.
    this.camera.play().catch(() => {});
  }

  resume() {
    this.pause();
    this.timer = setInterval(() => this.take(), this.everyMs);
    this.take();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  stop() {
    this.pause();
    this.camera.onloadeddata = null;
    this.camera.srcObject = null;
    this.onPicture = undefined;
  }

  take() {
    const { videoWidth: width, videoHeight: height } = this.camera;
    if (width && height) {
      const canvas = new OffscreenCanvas(width, height);
      canvas.getContext('2d').drawImage(this.camera, 0, 0, width, height);
      this.hand(canvas, performance.now(), 0).catch((error) => console.warn('No picture could be taken.', error));
    }
  }

  async hand(canvas, takenAt, coarseness) {
    const quality = QUALITIES[coarseness];
    const picture = await canvas.convertToBlob({ type: 'image/jpeg', quality });
    if (picture.size <= this.bytesMax) {
      this.onPicture?.(picture, takenAt);
    } else if (coarseness + 1 < QUALITIES.length) {
      await this.hand(canvas, takenAt, coarseness + 1);
    } else {
      console.warn(`A picture of ${picture.size} bytes was left out.`);
    }
  }
}
