// Draws the picture that is shown when the address of a page is shared: its title, and what it is about.
//
// Usage: node previews.mjs FOLDER, before `publish.mjs` names the pictures in the pages.
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { descriptionOf, isListed, pagesOf, titleOf } from "./publish.mjs";
import { browser as launch } from "./site.mjs";

const FOLDER = process.argv[2];
// The size that most sites ask for.
const viewport = { width: 1200, height: 630 };

const browser = await launch();
const page = await browser.newPage({ viewport });
let count = 0;
for (const name of await pagesOf(FOLDER)) {
  const html = await readFile(join(FOLDER, name), "utf8");
  if (!isListed(name, html)) continue;
  const [title] = titleOf(html).split(" - ");
  await page.setContent(`<style>
    body { margin: 0; padding: 70px; box-sizing: border-box; height: 630px; overflow: hidden; border-left: 24px solid #00600f;
           font: 34px/1.4 "Open Sans", sans-serif; color: #222; background: #fff; display: flex; flex-direction: column; }
    h1 { font-size: 68px; line-height: 1.15; margin: 0 0 36px; } p { margin: 0; flex: 1; overflow: hidden; }
    footer { color: #00600f; font-weight: 600; padding-top: 24px; }
  </style><h1>${title}</h1><p>${descriptionOf(html)}</p><footer>The AsyncDrop Book</footer>`);
  const path = join(FOLDER, "preview", name.replace(/\.html$/, ".png"));
  await mkdir(dirname(path), { recursive: true });
  await page.screenshot({ path });
  count += 1;
}
await browser.close();
console.log(`${count} previews`);
