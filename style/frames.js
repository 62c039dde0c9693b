// Has the player go to the moment of a picture.

const player = document.querySelector('.player :is(audio, video)');

for (const button of document.querySelectorAll('.frames [data-seek]')) {
  button.addEventListener('click', () => {
    if (player) {
      player.currentTime = Number(button.dataset.seek);
      player.scrollIntoView({ block: 'nearest' });
    }
  });
}
