// Accessibility and layout of pages in Chromium, by axe-core: node check.mjs [--shots FOLDER] PAGE...
// Prints what is wrong, a line each, and exits with 1 if anything is.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDTHS = [380, 800, 1400]; // a phone, half a screen, a desk
const given = process.argv.slice(2);
const shots = given[0] === '--shots' ? given.splice(0, 2)[1] : null;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--host-resolver-rules=MAP * 127.0.0.1:1'],
});
let wrong = 0;
const say = (line) => { wrong += 1; console.log(line); };
try {
  for (const page of given) {
    for (const scheme of ['light', 'dark']) {
      for (const width of WIDTHS) {
        const context = await browser.newContext({
          colorScheme: scheme, viewport: { width, height: 900 },
        });
        const tab = await context.newPage();
        await tab.goto(pathToFileURL(resolve(page)).href);
        const where = `${basename(page)}, ${scheme}, ${width} px`;
        const wide = await tab.evaluate(() => document.documentElement.scrollWidth);
        if (wide > width) say(`${where}: the page is ${wide} px wide and scrolls sideways`);
        await tab.evaluate(axe);
        const found = await tab.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
        for (const { id, help, nodes } of found.violations) {
          say(`${where}: ${id}: ${help} (${nodes.length}): ${nodes[0].html.slice(0, 160)}`);
        }
        if (shots) {
          const file = `${basename(page, '.html')}-${scheme}-${width}.png`;
          await tab.screenshot({ path: join(shots, file), fullPage: true });
        }
        await context.close();
      }
    }
    if (shots) {
      const tab = await browser.newPage();
      await tab.goto(pathToFileURL(resolve(page)).href);
      await tab.pdf({ path: join(shots, `${basename(page, '.html')}.pdf`), format: 'A4' });
      await tab.close();
    }
  }
} finally {
  await browser.close();
}
console.log(`${given.length} pages, ${WIDTHS.length} widths, light and dark: ${wrong} problems`);
process.exitCode = wrong ? 1 : 0;
