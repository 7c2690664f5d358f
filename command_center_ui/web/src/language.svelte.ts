/** Which language the page speaks: what the server wrote into `<html lang>`, switched without losing what was typed. */

export type Lang = 'id' | 'en';

/** One text in every language; leaving one out is a compile error. */
export type Phrase<Args extends unknown[] = []> = Args extends []
  ? Record<Lang, string>
  : Record<Lang, (...args: Args) => string>;

const asked: Lang = 'document' in globalThis && document.documentElement.lang === 'en' ? 'en' : 'id';
const current = $state<{ lang: Lang }>({ lang: asked });

/** The language now; reactive in templates. */
export function lang(): Lang {
  return current.lang;
}

/** Speaks `next` from now on, and keeps it in the address so that a reload or a shared link does too. */
export function speak(next: Lang): void {
  current.lang = next;
  document.documentElement.lang = next;
  history.replaceState(history.state, '', inLanguage(location.href));
}

/** A phrase in the page's language, with its numbers and names put in. */
export function say(phrase: Record<Lang, string>): string;
export function say<Args extends unknown[]>(phrase: Record<Lang, (...args: Args) => string>, ...args: Args): string;
export function say<Args extends unknown[]>(
  phrase: Record<Lang, string | ((...args: Args) => string)>,
  ...args: Args
): string {
  const text = phrase[current.lang];
  return typeof text === 'string' ? text : text(...args);
}

/** The address of one of our pages, in the page's language. */
export function inLanguage(address: string): string {
  const url = new URL(address, location.href);
  if (current.lang === 'en') url.searchParams.set('lang', 'en');
  else url.searchParams.delete('lang');
  return url.origin === location.origin && !address.includes('://') ? url.pathname + url.search : url.href;
}
