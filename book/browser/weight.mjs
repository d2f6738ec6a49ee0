// Weighs the largest pages as a first visit loads them, and takes the time until something is painted.
//
// Usage: node weight.mjs [PART-OF-A-NAME]
import { stat } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { join } from "node:path";
import { FOLDER, browser as launch, pages, report, serve } from "./site.mjs";

const LARGEST = 3;
// Of a page with all that it loads: its bytes, and what is left of them when the server compresses as every host does.
const KILOBYTES = 900;
const COMPRESSED = 420;
// In half of the visits. On two cores with twenty processes waiting for them it was between 1100 and 1700 ms.
const PAINTED_AFTER = 3000;
const VISITS = 5;

const sized = await Promise.all((await pages()).map(async (page) => ({ page, size: (await stat(join(FOLDER, page))).size })));
const largest = sized.sort((a, b) => b.size - a.size).slice(0, LARGEST);
const server = await serve();
const browser = await launch();
const faults = [];
for (const { page: where } of largest) {
  const paints = [];
  let bytes = 0;
  let compressed = 0;
  let requests = 0;
  for (let n = 0; n < VISITS; n += 1) {
    const context = await browser.newContext({ viewport: { width: 390, height: 900 } });
    const page = await context.newPage();
    const bodies = [];
    page.on("response", (response) => bodies.push(response.body().catch(() => Buffer.alloc(0))));
    await page.goto(`${server.origin}/${where}`, { waitUntil: "load" });
    const parts = await Promise.all(bodies);
    requests = parts.length;
    bytes = parts.reduce((sum, part) => sum + part.length, 0);
    compressed = parts.reduce((sum, part) => sum + Math.min(part.length, gzipSync(part).length), 0);
    await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
    paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
    await context.close();
  }
  const painted = Math.round(paints.sort((a, b) => a - b)[Math.floor(VISITS / 2)]);
  const kilobytes = Math.round(bytes / 1000);
  const small = Math.round(compressed / 1000);
  console.log(`${where}: ${kilobytes} kB in ${requests} requests, ${small} kB compressed, painted after ${painted} ms`);
  if (kilobytes > KILOBYTES || small > COMPRESSED || painted > PAINTED_AFTER) {
    faults.push(`${where} may have ${KILOBYTES} kB, ${COMPRESSED} kB compressed, and ${PAINTED_AFTER} ms`);
  }
}
await browser.close();
server.close();
report(`the ${largest.length} largest pages`, faults, largest.length > 0);
