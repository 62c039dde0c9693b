// Keeps values with bytes in them where a write is done when its call returns.
export function write(key, value) {
  const bytesToText = (_, part) =>
    part instanceof Uint8Array ? { bytes: btoa(Array.from(part, toCharacter).join('')) } : part;
  localStorage.setItem(key, JSON.stringify(value, bytesToText));
}

// What was written under the key; null when nothing was.
export function read(key) {
  const textToBytes = (_, part) =>
    part?.bytes === undefined ? part : Uint8Array.from(atob(part.bytes), toByte);
  return JSON.parse(localStorage.getItem(key), textToBytes);
}

const toCharacter = (byte) => String.fromCharCode(byte);
const toByte = (character) => character.charCodeAt(0);
