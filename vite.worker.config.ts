/**
 * The packaged worker: one file without a bare import, so that it loads from any bundler's output,
 * from a dev server that leaves packages alone, and without a bundler (R40). It replaces the
 * module that `tsc` left at the same place.
 */
import { defineConfig } from 'vite'

export default defineConfig({
  publicDir: false,
  define: { 'process.env.NODE_ENV': '"production"' },
  build: {
    outDir: 'dist/worker',
    emptyOutDir: false,
    target: 'es2023',
    // Half a kilobyte less than the default: the worker has a budget (R41). Names are shortened once, by rolldown.
    minify: 'terser',
    terserOptions: { compress: { passes: 4, ecma: 2020 }, mangle: false, module: true, ecma: 2020 },
    lib: { entry: 'src/worker/bundle.ts', formats: ['es'], fileName: () => 'bundle.js' },
    rolldownOptions: {
      output: { codeSplitting: false, minify: true, comments: { annotation: false, legal: true, jsdoc: false } },
    },
  },
})
