// Shows what can be seen along the recording: a second, hidden player seeks through the file, which
// takes the bytes around each place and no more. Each picture leads the player there.

const PICTURES = 12;
const WIDTH = 160;
const WAIT_MS = 15_000;
/** How long after a seek its picture may take. None comes where the one before is to stay. */
const PICTURE_WAIT_MS = 1_000;

/** Resolves with the event, or with undefined when it does not come. */
function happened(target, name) {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, WAIT_MS);
    const come = (event) => {
      clearTimeout(late);
      resolve(event);
    };
    target.addEventListener(name, come, { once: true });
    target.addEventListener('error', () => resolve(undefined), { once: true });
  });
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

async function opened(address) {
  const looking = document.createElement('video');
  looking.muted = true;
  looking.preload = 'metadata';
  looking.src = address;
  const isThere = await happened(looking, 'loadeddata');
  return isThere && looking.videoWidth > 0 ? looking : undefined;
}

/** A seek ends before its picture is there. Must be asked before the seek. */
function shown(looking) {
  return new Promise((resolve) => {
    looking.requestVideoFrameCallback?.(resolve);
    const settle = looking.requestVideoFrameCallback ? PICTURE_WAIT_MS : 0;
    looking.addEventListener('seeked', () => setTimeout(resolve, settle), { once: true });
  });
}

/** Whether the player has come to the place, with its picture. */
async function sought(looking, at) {
  const isShown = shown(looking);
  const isThere = happened(looking, 'seeked');
  looking.currentTime = at;
  if (!(await isThere)) {
    return false;
  }
  await isShown;
  return true;
}

function picture(looking) {
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = Math.round((WIDTH * looking.videoHeight) / looking.videoWidth);
  canvas.getContext('2d').drawImage(looking, 0, 0, canvas.width, canvas.height);
  return canvas;
}

async function fill(strip, player) {
  const looking = await opened(player.currentSrc || player.src);
  const length = Number(strip.dataset.seconds);
  for (let place = 0; looking && place < PICTURES; place++) {
    const at = ((place + 0.5) / PICTURES) * length;
    if (!(await sought(looking, at))) {
      break;
    }
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('aria-label', `Go to ${clock(at)}`);
    button.append(picture(looking), clock(at));
    button.addEventListener('click', () => {
      player.currentTime = at;
    });
    strip.append(button);
    strip.hidden = false;
  }
  looking?.removeAttribute('src');
  looking?.load();
}

for (const strip of document.querySelectorAll('.thumbnails')) {
  const player = strip.closest('.player')?.querySelector('video');
  if (player) {
    void fill(strip, player);
  }
}
