// Tells how far an export is, and has the browser save it once it is there.

const ASK_EVERY_MS = 1_000;

/** Has it made, and waits. Throws what went wrong, in words. */
async function make(list, format, tell) {
  const started = await fetch(`${list}/${format}`, { method: 'POST' });
  if (!started.ok) {
    const { detail } = await started.json();
    throw new Error(detail);
  }
  let { state, progress, reason } = await started.json();
  while (state === 'making') {
    tell(progress ? `Being made: ${Math.round(progress * 100)} %` : 'Being made…');
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    const { exports } = await (await fetch(list)).json();
    ({ state, progress, reason } = exports.find((one) => one.format === format));
  }
  if (state !== 'ready') {
    throw new Error(reason ?? 'It could not be made.');
  }
}

for (const box of document.querySelectorAll('[data-exports]')) {
  for (const link of box.querySelectorAll('[data-format]')) {
    const status = link.parentElement.querySelector('[role="status"]');
    let isReady = false;
    link.addEventListener('click', async (event) => {
      if (isReady) {
        return;
      }
      event.preventDefault();
      try {
        await make(box.dataset.exports, link.dataset.format, (words) => {
          status.textContent = words;
        });
        status.textContent = 'Ready.';
        isReady = true;
        link.click();
      } catch (error) {
        status.textContent = error.message;
      }
    });
  }
}
