// What a proxy answers in the place of a server that is away.
const GATEWAY_STATUSES = [502, 503, 504];

// Resolves to whether a server answers, whatever it says.
export async function isServerThere(waitMs) {
  try {
    const { status } = await fetch('/healthz', {
      cache: 'no-store',
      redirect: 'manual',
      signal: AbortSignal.timeout(waitMs),
    });
    return !GATEWAY_STATUSES.includes(status);
  } catch {
    return false;
  }
}
