// The bytes of a blob before this returns, or undefined. Only a synchronous request gives them out so:
// for the moment in which a page may be gone before any promise is resolved.
export function readNow(blob) {
  let address;
  try {
    address = URL.createObjectURL(blob);
    const request = new XMLHttpRequest();
    request.open('GET', address, false);
    // Maps each byte to a character whose low byte it is.
    request.overrideMimeType('text/plain; charset=x-user-defined');
    request.send();
    return Uint8Array.from(request.responseText, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  } finally {
    if (address) {
      URL.revokeObjectURL(address);
    }
  }
}
