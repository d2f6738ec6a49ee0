// Ranks what mdBook's search finds. mdBook itself wants each word in one section and counts words, so that a pasted
// message leads to any page that shows it, and a question with one word too many leads nowhere.
//
// Here the page that explains a message or a name comes first: `mdbook build` writes down which one that is
// (book/playground, from the pages of the reference). Everything else is ranked by how many of the words are there,
// with the rare ones, and those in titles, before the others.
"use strict";
(() => {
    if (!window.elasticlunr) {
        return;
    }
    const COMMON = new Set(("a after an and are as at be before between but by can do does for from get how i if in into is it its me my no not of on or "
        + "own rust so that the their then there this to use using was we what when where which while why will with without you").split(" "));
    // Lists of everything have each word and explain none.
    const LISTS = /^(reference\/|print|toc)|exercises\.html/;

    // Words of readers, and the words of the book for the same.
    const SAME = new Map(Object.entries({
        mock: ["fake"], stub: ["fake"], password: ["secret"], token: ["secret"], overhead: ["cost"], performance: ["cost"],
        speed: ["cost"], share: ["owner"], abort: ["cancel"], safe: ["interrupt"], destructor: ["drop"], raii: ["guard"],
        shutdown: ["stop"], leak: ["forget"], timeout: ["deadline"], transaction: ["commit"], two: ["both"],
    }));

    const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
    // What a word begins with, whatever its ending is.
    const stem = (word) => {
        const short = elasticlunr.stemmer(word);
        return word.startsWith(short) && short.length > 2 ? short : word;
    };
    // `..` stands for what differs from program to program.
    const fixedWords = (message) => words(message.replaceAll("..", " "));

    // How a word of the question counts in a text: it fades when it comes again, and in a longer text (BM25).
    const weight = (times, length, usual) => times * 2.2 / (times + 1.2 * (0.25 + 0.75 * length / usual));

    class Ranked {
        constructor(index, urls) {
            // Each word, with how often it is in each section.
            this.vocabulary = new Map();
            this.pages = new Map();
            this.sections = Object.entries(index.documentStore.docs).map(([ref, doc], n) => {
                const name = urls[ref].split("#")[0];
                if (!this.pages.has(name)) {
                    const title = ` ${words(doc.breadcrumbs.split(" » ")[0]).join(" ")} ${words(name).join(" ")}`;
                    this.pages.set(name, { name, title, length: 0, sections: [] });
                }
                const page = this.pages.get(name);
                const all = words(`${doc.title} ${doc.body}`);
                for (const word of all) {
                    const counts = this.vocabulary.get(word) ?? new Map();
                    counts.set(n, (counts.get(n) ?? 0) + 1);
                    this.vocabulary.set(word, counts);
                }
                page.length += all.length;
                page.sections.push(n);
                return { ref, doc, page, title: ` ${words(doc.title).join(" ")}`, length: all.length, text: ` ${all.join(" ")}` };
            });
            const total = this.sections.reduce((sum, { length }) => sum + length, 0);
            this.usualSection = total / this.sections.length;
            this.usualPage = total / this.pages.size;
        }

        // How often words with this beginning are in each section.
        counts(beginning) {
            const counts = new Map();
            for (const [word, sections] of this.vocabulary) {
                if (word.startsWith(beginning)) {
                    for (const [n, times] of sections) {
                        counts.set(n, (counts.get(n) ?? 0) + times);
                    }
                }
            }
            return counts;
        }

        // The pages that explain the message or the name that is asked for, the best one first.
        explained(asked) {
            const known = window.asyncdropExplained;
            const query = words(asked);
            if (!known || query.length === 0) {
                return [];
            }
            const name = asked.trim().replace(/^asyncdrop::/, "").replace(/[!()]+$/, "").toLowerCase();
            const names = known.names
                .filter(([text]) => [text.toLowerCase(), text.toLowerCase().split("::").pop()].some((it) => it.replace("!", "") === name))
                // A type before what belongs to it, an exact name before a part of one.
                .sort(([a], [b]) => (b.toLowerCase() === name) - (a.toLowerCase() === name) || a.length - b.length);
            const distinct = new Set(query);
            const messages = known.messages
                .map(([text, page]) => {
                    const fixed = new Set(fixedWords(text));
                    const common = [...fixed].filter((word) => distinct.has(word)).length;
                    const ofMessage = common / fixed.size;
                    const ofQuery = common / distinct.size;
                    const fits = ofMessage === 1 || (common >= 3 && (ofMessage >= 0.8 || ofQuery >= 0.9));
                    return { page, fit: fits ? common * Math.max(ofMessage, ofQuery) : 0 };
                })
                .filter(({ fit }) => fit > 0)
                .sort((a, b) => b.fit - a.fit);
            return [...names.map(([, page]) => page), ...messages.map(({ page }) => page)];
        }

        // What mdBook shows: the sections, the best one first.
        search(asked) {
            const query = [...new Set(words(asked))];
            const rare = query.filter((word) => !COMMON.has(word));
            const terms = (rare.length > 0 ? rare : query).map((word) => {
                const beginnings = [...new Set([word, ...(SAME.get(word) ?? [])].map(stem))];
                const counts = this.counts(beginnings[0]);
                for (const beginning of beginnings.slice(1)) {
                    this.counts(beginning).forEach((times, n) => counts.set(n, Math.max(times, counts.get(n) ?? 0)));
                }
                const pages = new Set([...counts.keys()].map((n) => this.sections[n].page));
                const rarity = Math.log(1 + (this.pages.size - pages.size + 0.5) / (pages.size + 0.5));
                return { beginnings, counts, rarity };
            });
            const whole = terms.reduce((sum, { rarity }) => sum + rarity, 0);
            const phrase = ` ${words(asked).join(" ")}`;
            const has = (text, { beginnings }) => beginnings.some((beginning) => text.includes(` ${beginning}`));

            const explained = this.explained(asked);
            const results = [];
            for (const page of this.pages.values()) {
                let score = 0;
                let found = 0;
                for (const term of terms) {
                    const times = page.sections.reduce((sum, n) => sum + (term.counts.get(n) ?? 0), 0);
                    const inTitle = has(page.title, term);
                    if (times > 0 || inTitle) {
                        found += term.rarity;
                        score += term.rarity * (weight(times, page.length, this.usualPage) + (inTitle ? 3 : 0));
                    }
                }
                if (found === 0 && !explained.includes(page.name)) {
                    continue;
                }
                const sections = page.sections.map((n) => {
                    const { ref, doc, title, length, text } = this.sections[n];
                    let here = 0;
                    let score = 0;
                    for (const term of terms) {
                        const times = term.counts.get(n) ?? 0;
                        const inTitle = has(title, term);
                        if (times > 0 || inTitle) {
                            here += term.rarity;
                            score += term.rarity * (weight(times, length, this.usualSection) + (inTitle ? 1 : 0));
                        }
                    }
                    const asItIs = terms.length > 1 && text.includes(phrase) ? 2 : 1;
                    return { ref, doc, score: score * (here / whole) * asItIs };
                });
                sections.sort((a, b) => b.score - a.score);
                const ofList = LISTS.test(page.name) ? 0.25 : 1;
                results.push({
                    page: page.name,
                    score: (score + sections[0].score) * (found / whole) ** 2 * ofList,
                    sections: sections.filter((section, n) => n === 0 || section.score > 0),
                });
            }
            const place = (page) => {
                const n = explained.indexOf(page);
                return n < 0 ? explained.length : n;
            };
            results.sort((a, b) => place(a.page) - place(b.page) || b.score - a.score);
            // The best section of each page first, and then what else there is on these pages.
            return [...results.map(({ sections }) => sections[0]), ...results.flatMap(({ sections }) => sections.slice(1))];
        }
    }

    const load = elasticlunr.Index.load;
    elasticlunr.Index.load = (index) => {
        const urls = window.search?.doc_urls;
        return urls ? new Ranked(index, urls) : load(index);
    };

    // mdBook asks for this when the search is opened for the first time, just before it loads its index of several megabytes.
    let path = window.path_to_searchindex_js;
    Object.defineProperty(window, "path_to_searchindex_js", {
        get() {
            if (!document.getElementById("explained")) {
                const script = document.createElement("script");
                script.id = "explained";
                script.src = `${path_to_root}online/explained.js`;
                document.head.append(script);
            }
            return path;
        },
        set(value) { path = value; },
    });
})();
