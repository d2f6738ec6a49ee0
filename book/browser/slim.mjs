// Takes out of a built book what its pages load and never use.
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const REGISTER = 'hljs.registerLanguage("';

/** The highlighter without the languages that no page has. It is its core, and behind that one language after the other. */
export function highlighterFor(used, script) {
  const [core, ...languages] = script.split(REGISTER);
  const kept = languages.filter((language) => used(language.slice(0, language.indexOf('"')), language));
  return [core, ...kept].join(REGISTER);
}

/** The names that a language goes by: its own, and the others that its code gives it. */
export function namesOf(name, code) {
  const aliases = /aliases:\[([^\]]*)\]/.exec(code)?.[1] ?? "";
  return [name, ...[...aliases.matchAll(/"([^"]*)"/g)].map(([, alias]) => alias)];
}

/** The languages of the code on a page. */
export function languagesOf(html) {
  return [...html.matchAll(/class="language-([\w-]+)/g)].map(([, language]) => language);
}

/**
 * The search index without its lists of where each word stands: `theme/search.js` makes its own from the texts, which are
 * a sixth of the index.
 */
export function indexOfTexts(script) {
  const [, before, json, after] = /^(.*?JSON\.parse\(')(.*)('\).*)$/s.exec(script);
  const index = JSON.parse(json.replace(/\\(['\\])/g, "$1"));
  for (const field of Object.keys(index.index.index)) {
    index.index.index[field] = { root: { docs: {}, df: 0 } };
  }
  return before + JSON.stringify(index).replace(/['\\]/g, "\\$&") + after;
}

/** Makes the scripts of a folder smaller, for pages that have code in these languages. */
export async function slim(folder, languages) {
  const used = (name, code) => namesOf(name, code).some((it) => languages.has(it));
  const changes = [
    [/^highlight-[0-9a-f]+\.js$/, (script) => highlighterFor(used, script)],
    [/^searchindex-[0-9a-f]+\.js$/, indexOfTexts],
  ];
  const files = await readdir(folder);
  for (const [pattern, change] of changes) {
    const found = files.filter((file) => pattern.test(file));
    // With another version of mdBook they may have other names, and the pages would weigh more without a word.
    if (found.length !== 1) throw new Error(`${folder} has ${found.length} files like ${pattern}`);
    const path = join(folder, found[0]);
    await writeFile(path, change(await readFile(path, "utf8")));
  }
}
