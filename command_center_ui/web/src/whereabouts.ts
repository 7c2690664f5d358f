/** Where this device is, if its owner lets us know. */

export interface Whereabouts {
  lat: number;
  lon: number;
  accuracyM: number;
}

export type NoWhereabouts = 'denied' | 'failed';

/** Asks the device, and so maybe its owner. Never rejects; gives up after `timeoutMs`. */
export function whereabouts(timeoutMs = 15_000): Promise<Whereabouts | NoWhereabouts> {
  // absent where a page is opened without https
  if (!('geolocation' in navigator)) return Promise.resolve('failed');
  return new Promise((resolve) => {
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve({ lat: coords.latitude, lon: coords.longitude, accuracyM: coords.accuracy }),
      (error) => resolve(error.code === error.PERMISSION_DENIED ? 'denied' : 'failed'),
      { enableHighAccuracy: true, timeout: timeoutMs, maximumAge: 30_000 },
    );
  });
}
