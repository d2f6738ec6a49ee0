// Makes a folder that `mdbook build` wrote ready for its place on the web.
//
// Each page gets a description of its own, its address and a preview for those who share it; the page of a missing
// address works below any path; sitemap.xml lists every page; each page says which version it describes; and the scripts
// have nothing in them that no page uses.
//
// Usage: node publish.mjs FOLDER ADDRESS VERSION [OTHER-VERSION..], for example
//        node publish.mjs target/site https://example.org/asyncdrop/ 0.1.0
// The other versions are folders below the newest one's address. For one of them, NEWEST is that address, and the newest
// book lies in the folder above.
import { existsSync } from "node:fs";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { languagesOf, slim } from "./slim.mjs";

const NAME = "The AsyncDrop Book";
// A search result shows about this much.
const LONGEST = 300;

/** What a search engine shall not show: the frame of the contents, the whole book again, and a missing page. */
const UNLISTED = ["toc.html", "print.html", "404.html", "versions.html"];

/** Whether a page is one of the book's own, for readers to find. */
export function isListed(page, html) {
  return !UNLISTED.includes(page) && html.includes("</head>") && !/http-equiv="refresh"/i.test(html);
}

/** Every page below a folder, without those of rustdoc and of other versions. */
export async function pagesOf(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".html"))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .filter((page) => !/^(doc|\d+\.\d+)\//.test(page))
    .sort();
}

/** The text of a page before its first heading of the second level, in whole sentences. */
export function descriptionOf(html) {
  const main = html.slice(html.indexOf("<main>"));
  const opening = main.slice(0, Math.max(main.indexOf("<h2"), 0) || undefined);
  const paragraphs = [...opening.matchAll(/<p>(.*?)<\/p>/gs)];
  const text = paragraphs.map(([, text]) => text.replace(/<[^>]*>/g, "")).join(" ").replace(/\s+/g, " ").trim();
  const sentences = text.split(/(?<=[.?!:]) (?=[A-Z`])/);
  let description = sentences.shift() ?? "";
  for (const sentence of sentences) {
    if (description.length + 1 + sentence.length > LONGEST) break;
    description += ` ${sentence}`;
  }
  // mdBook has escaped `<` and `&`, and inside an attribute a quotation mark must be, too.
  return description.replaceAll('"', "&quot;");
}

export function titleOf(html) {
  return (html.match(/<title>(.*?)<\/title>/s)?.[1] ?? NAME).replaceAll('"', "&quot;");
}

function finished(page, html, { address, version, isPreviewed, isInNewest, newest }) {
  // A redirect only sends its reader on.
  if (/http-equiv="refresh"/i.test(html)) return html;
  const head = [];
  if (UNLISTED.includes(page)) {
    head.push('<meta name="robots" content="noindex">');
  } else {
    // mdBook writes the first chapter twice, and a reader should find it once.
    const first = page === "index.html" || page === "introduction.html";
    const url = new URL(first ? "" : page, address).href;
    // A search engine shows the newest version of a page, if it is still there.
    const canonical = isInNewest(page) ? new URL(first ? "" : page, newest).href : url;
    const title = titleOf(html);
    const description = descriptionOf(html);
    html = html.replace(/<meta name="description" content="[^"]*">/, () => `<meta name="description" content="${description}">`);
    head.push(
      `<link rel="canonical" href="${canonical}">`,
      '<meta property="og:type" content="article">',
      `<meta property="og:site_name" content="${NAME}">`,
      `<meta property="og:title" content="${title}">`,
      `<meta property="og:description" content="${description}">`,
      `<meta property="og:url" content="${url}">`,
    );
    if (isPreviewed(page)) {
      const image = new URL(`preview/${page.replace(/\.html$/, ".png")}`, address).href;
      head.push(`<meta property="og:image" content="${image}">`, '<meta name="twitter:card" content="summary_large_image">');
    }
  }
  // The links of this page are made for the root of the book, and it is shown at any address below.
  if (page === "404.html") html = html.replace('<base href="/">', () => `<base href="${new URL(address).pathname}">`);
  const up = page === "404.html" ? "" : "../".repeat(page.split("/").length - 1);
  html = html.replace(
    /(<h1 class="menu-title">)(.*?)(<\/h1>)/s,
    (_, before, title, after) => `${before}${title} <a class="version" href="${up}versions.html">${version}</a>${after}`,
  );
  return html.replace("</head>", () => `    ${head.join("\n        ")}\n    </head>`);
}

/** The page of the versions, in the frame of the page of a missing address. */
function versionsPage(frame, { version, others }) {
  const row = (other) => `<li><a href="${other}/index.html">${other}</a></li>`;
  const older = others.length > 0 ? `<p>The book of an older version:</p><ul>${others.map(row).join("")}</ul>` : "";
  return frame
    .replace(/<title>.*?<\/title>/s, `<title>Versions - ${NAME}</title>`)
    .replace(/<base href="[^"]*">/, "")
    .replace(
      /<main>.*?<\/main>/s,
      `<main><h1>Versions</h1><p>These pages describe <code>asyncdrop</code> ${version}.</p>${older}</main>`,
    );
}

function sitemap(addresses) {
  const entries = addresses.map((url) => `  <url><loc>${url}</loc></url>`).join("\n");
  return `<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n${entries}\n</urlset>\n`;
}

export async function finish(folder, { address, version, others = [], newest }) {
  const isPreviewed = (page) => existsSync(join(folder, "preview", page.replace(/\.html$/, ".png")));
  const pagesOfNewest = new Set();
  if (newest) {
    const above = dirname(resolve(folder));
    for (const page of await pagesOf(above)) {
      if (isListed(page, await readFile(join(above, page), "utf8"))) pagesOfNewest.add(page);
    }
  }
  const options = { address, version, others, isPreviewed, newest, isInNewest: (page) => pagesOfNewest.has(page) };
  const missing = await readFile(join(folder, "404.html"), "utf8");
  if (missing.includes('class="version"')) throw new Error(`${folder} was made ready before: build the book again`);
  await writeFile(join(folder, "versions.html"), versionsPage(missing, options));
  const addresses = [];
  const languages = new Set();
  for (const page of await pagesOf(folder)) {
    const html = await readFile(join(folder, page), "utf8");
    languagesOf(html).forEach((language) => languages.add(language));
    const after = finished(page, html, options);
    await writeFile(join(folder, page), after);
    const canonical = after.match(/<link rel="canonical" href="([^"]*)">/)?.[1];
    if (after !== html && canonical?.startsWith(address) && !addresses.includes(canonical)) addresses.push(canonical);
  }
  await slim(folder, languages);
  await writeFile(join(folder, "sitemap.xml"), sitemap(addresses));
  return addresses;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [folder, address, version, ...others] = process.argv.slice(2);
  if (!version || !address.endsWith("/")) {
    console.error("Usage: node publish.mjs FOLDER ADDRESS/ VERSION [OTHER-VERSION..]");
    process.exit(2);
  }
  const addresses = await finish(folder, { address, version, others, newest: process.env.NEWEST });
  console.log(`${addresses.length} pages are ready for ${address}`);
}
