/** A photo made ready to be sent: a kind the server takes, small enough for a slow network. */

const KINDS = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/heic', 'image/heif']);
const HEIC_NAME = /\.hei[cf]$/i;
/** The server's limit (contract, section 2). */
const LARGEST = 10 * 1024 * 1024;
/** Below this it is not worth making smaller. */
const SMALL = 1_500_000;
/** Pixels of the longer side after making smaller: still shows a number plate across the street. */
const SIDE = 2560;

export type PhotoRefusal = 'wrong-kind' | 'too-large';

/** For the file picker. */
export const ACCEPT = [...KINDS, '.heic', '.heif'].join(',');

/** The file itself, or a smaller JPEG of it. What this browser cannot read (HEIC) goes as it is. */
export async function prepared(file: File): Promise<File | PhotoRefusal> {
  if (!KINDS.has(file.type) && !HEIC_NAME.test(file.name)) return 'wrong-kind';
  const smaller = file.size > SMALL ? await shrunk(file) : null;
  const chosen = smaller !== null && smaller.size < file.size ? smaller : file;
  return chosen.size > LARGEST ? 'too-large' : chosen;
}

async function shrunk(file: File): Promise<File | null> {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (bitmap === null) return null;
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/jpeg', 0.85));
  return blob === null ? null : new File([blob], 'photo.jpg', { type: 'image/jpeg' });
}
