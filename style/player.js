// Says in words that this browser cannot play the recording, or not all of it, and shows what it can
// have instead. Without this script the player is all there is.

/** MediaError: the file was there, and could not be decoded or is of an unknown kind. */
const UNPLAYABLE = [3, 4];

/** A file that cannot be fetched is no file that cannot be played. */
async function isThere(address) {
  try {
    return (await fetch(address, { method: 'HEAD' })).ok;
  } catch {
    return false;
  }
}

function watch(box) {
  const player = box.parentElement.querySelector('audio, video');
  const say = (which) => {
    for (const words of box.querySelectorAll('[data-when]')) {
      words.hidden = words.dataset.when !== which;
    }
    player.hidden = which === 'none';
    box.hidden = false;
  };
  const look = async () => {
    if (UNPLAYABLE.includes(player.error?.code) && (await isThere(player.currentSrc || player.src))) {
      say('none');
    } else if (player.readyState > 0 && player.localName === 'video' && player.videoWidth === 0) {
      say('sound');
    }
  };
  const unknown = box.dataset.types.split('|').filter((type) => type && !player.canPlayType(type));
  if (unknown.length > 0) {
    say('some');
  }
  player.addEventListener('error', look);
  player.addEventListener('loadedmetadata', look);
  void look();
}

for (const box of document.querySelectorAll('.unplayable')) {
  watch(box);
}
