/** A key by which the server knows a repeat of the same request. */

/** 128 random bits as hex. (`crypto.randomUUID` is missing where a page is opened without https.) */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
