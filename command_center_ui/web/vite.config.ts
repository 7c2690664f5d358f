import { svelte } from '@sveltejs/vite-plugin-svelte';
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** The font's licence goes where the font goes; the bundler collects only those of scripts. */
function fontLicence(): Plugin {
  return {
    name: 'font-licence',
    generateBundle() {
      const source = readFileSync(new URL('node_modules/@fontsource/inter/LICENSE', import.meta.url));
      this.emitFile({ type: 'asset', fileName: 'assets/inter-licence.txt', source });
    },
  };
}

export default defineConfig({
  plugins: [svelte(), fontLicence()],
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
