/** What the server says of itself: where the feed and the base map are. */

import { ask } from '../api';
import type { Config } from '../contract';

export function config(): Promise<Config> {
  return ask<Config>('/api/v1/config', { timeoutMs: 5000 });
}
