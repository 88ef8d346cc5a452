// Chromium from Debian, driven by playwright-core from web/node_modules; each run with a profile of its own.
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');

const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

export async function browserOpen() {
    if (!executablePath) throw new Error('No Chromium: apt-get install --no-install-recommends chromium, or set CHROMIUM.');
    return chromium.launch({
        executablePath,
        headless: true,
        args: [
            '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync',
        ],
    });
}

export const desktop = { width: 1440, height: 900 };
export const phone = { width: 390, height: 844 };
