/** Asks again and again: soon while things move, later when they don't, not at all while nobody looks. */

export interface Poll {
  /** Ask right now, whatever the plan was. */
  now: () => void;
  stop: () => void;
}

/** Delay before the next question after `failures` failed ones in a row: doubling from `base`, at most `most` ms. */
export function backOff(base: number, failures: number, most: number): number {
  return Math.min(most, base * 2 ** Math.min(failures, 20));
}

/** Calls `question`, which gives the ms until the next one (null for never again), and starts over when looked at. */
export function poll(question: () => Promise<number | null>): Poll {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  let stopped = false;

  async function askNow(): Promise<void> {
    clearTimeout(timer);
    if (asking || stopped) return;
    asking = true;
    const delay = await question().finally(() => {
      asking = false;
    });
    if (delay === null) stop();
    else if (!document.hidden) plan(delay);
  }

  function plan(delay: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void askNow(), delay);
  }

  function looked(): void {
    if (document.hidden) clearTimeout(timer);
    else void askNow();
  }

  function stop(): void {
    stopped = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', looked);
    removeEventListener('online', looked);
  }

  document.addEventListener('visibilitychange', looked);
  addEventListener('online', looked);
  void askNow();
  return { now: () => void askNow(), stop };
}
