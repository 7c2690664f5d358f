/** Whether somebody is at the wall: without, the cursor goes after 5 s and the map returns home after a minute. */

const CURSOR_MS = 5000;
const VIEW_MS = 60_000;

export interface Idle {
  readonly cursor: boolean;
  readonly view: boolean;
}

/** Watches while the component that calls it is shown. */
export function watchIdle(): Idle {
  const idle = $state({ cursor: false, view: false });

  $effect(() => {
    let timers: ReturnType<typeof setTimeout>[] = [];
    const stirred = (): void => {
      for (const timer of timers) clearTimeout(timer);
      idle.cursor = idle.view = false;
      timers = [
        setTimeout(() => { idle.cursor = true; }, CURSOR_MS),
        setTimeout(() => { idle.view = true; }, VIEW_MS),
      ];
    };
    const events = ['pointermove', 'pointerdown', 'keydown', 'wheel'] as const;
    for (const event of events) addEventListener(event, stirred, { passive: true });
    stirred();
    return () => {
      for (const event of events) removeEventListener(event, stirred);
      for (const timer of timers) clearTimeout(timer);
    };
  });
  return idle;
}
