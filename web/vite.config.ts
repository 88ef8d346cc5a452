import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// One script, one sheet, one page: they are embedded into the program. Nothing is inlined (the server's content
// security policy forbids inline scripts and data: URLs other than images).
// `EVENKEEL=http://127.0.0.1:8080 npm run dev` develops against a running daemon.
export default defineConfig({
    plugins: [svelte()],
    build: {
        target: 'es2022',
        assetsInlineLimit: 0,
        modulePreload: false,
        cssCodeSplit: false,
        chunkSizeWarningLimit: 400,
        reportCompressedSize: false,
    },
    server: { proxy: { '/api': { target: process.env.EVENKEEL ?? 'http://127.0.0.1:8080', changeOrigin: false } } }, // the daemon refuses writes from another origin than its host
});
