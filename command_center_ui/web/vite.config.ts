import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2023',
    // nothing inline: the pages' Content-Security-Policy allows no data: fonts or scripts
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'third-party-licences.md' },
    // MapLibre alone is larger than Vite's warning; it is loaded only where a map is shown
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      input: ['index.html', 'track.html', 'wall.html', 'officer.html'],
    },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
