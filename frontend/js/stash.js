// Keeps values with bytes in them where a write is done when its call returns.
export function write(key, values) {
  localStorage.setItem(key, JSON.stringify(values, bytesToText));
}

// What was written under keys that begin with the name: each key with its values, or without any when
// they cannot be read.
export function entries(name) {
  const keys = Object.keys(localStorage).filter((key) => key.startsWith(name));
  return keys.map((key) => [key, read(key)]);
}

function read(key) {
  try {
    const values = JSON.parse(localStorage.getItem(key), textToBytes);
    return Array.isArray(values) ? values : undefined;
  } catch {
    return undefined;
  }
}

export const bytesToText = (_, part) =>
  part instanceof Uint8Array ? { bytes: btoa(Array.from(part, toCharacter).join('')) } : part;
const textToBytes = (_, part) =>
  part?.bytes === undefined ? part : Uint8Array.from(atob(part.bytes), toByte);

const toCharacter = (byte) => String.fromCharCode(byte);
const toByte = (character) => character.charCodeAt(0);
