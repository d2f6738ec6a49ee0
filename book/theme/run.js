// Runs a snippet on the public playground, which does not have this crate: each request brings the library along.
//
// `mdbook build` says in a class of each block whether it can run there, and writes the library to `online/`
// (book/playground). The gates compile exactly what is sent from here, so `request` is written twice: here and there.
"use strict";
(() => {
    const PLAYGROUND = "https://play.rust-lang.org/execute";
    // Compiling the library takes the playground a few seconds, and more when many people use it.
    const PATIENCE = 60_000;
    const LIBRARIES = {
        "online": "asyncdrop.js", "online-testing": "asyncdrop-testing.js", "online-derive": "asyncdrop-derive.js",
    };
    // The class of a program that uses a crate which the playground does not have, or not with the feature it needs.
    const LACKS = "lacks-";

    const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

    // What a snippet can do without once the library is a module beside it.
    const asProgram = (snippet) =>
        snippet.replace(/\n$/, "").split("\n")
            .filter((line) => !/^extern crate \w+;$/.test(line))
            .map((line) => `${line.replace(/^(\s+)use asyncdrop::/, "$1use crate::asyncdrop::")}\n`)
            .join("");
    // The playground does not have the derive macro either, so each type that derives `AsyncDrop` brings along
    // what the macro wrote when this book was built.
    const expanded = (program, derived) => {
        const result = derived.reduce((text, [written, expanded]) => text.replaceAll(written, () => expanded), program);
        if (derived.length > 0 && /derive\([^)]*AsyncDrop/.test(result)) {
            throw new Error("You changed a type that derives AsyncDrop, and the playground does not have that macro. Run the program on your machine.");
        }
        return result;
    };
    const request = (program, { library, derived }) => `${asProgram(expanded(program, derived))}\n${library}`;

    const loaded = new Map();
    const load = (file) => {
        if (!loaded.has(file)) {
            const library = new Promise((done, failed) => {
                const script = make("script", { src: `${path_to_root}online/${file}` });
                script.onload = () => done(window.asyncdropForThePlayground);
                script.onerror = () => {
                    loaded.delete(file);
                    script.remove();
                    failed(new Error("The library could not be loaded. Are you offline?"));
                };
                document.head.append(script);
            });
            loaded.set(file, library);
        }
        return loaded.get(file);
    };

    const send = async (code) => {
        let response;
        try {
            response = await fetch(PLAYGROUND, {
                method: "POST",
                headers: { "content-type": "application/json" },
                body: JSON.stringify({
                    channel: "stable", mode: "debug", edition: "2024", crateType: "bin", tests: false, backtrace: false, code,
                }),
                signal: AbortSignal.timeout(PATIENCE),
            });
        } catch (error) {
            throw new Error(error.name === "TimeoutError"
                ? "The playground did not answer within a minute. Try again later, or run the program on your machine."
                : "The playground cannot be reached. If you are offline, run the program on your machine.");
        }
        if (!response.ok) {
            throw new Error(`The playground refused (status ${response.status}). Try again later, or run the program on your machine.`);
        }
        return response.json();
    };

    // What cargo says about itself stands in front of what the program writes to standard error.
    const withoutCargo = (text) =>
        text.split("\n").filter((line) => !/^ +(Compiling|Finished|Running) /.test(line)).join("\n").trim();

    const shown = ({ success, stdout, stderr, exitDetail }) => {
        const parts = [stdout?.trim(), withoutCargo(stderr ?? ""), success ? "" : exitDetail];
        return parts.filter((part) => part).join("\n") || "It prints nothing.";
    };

    const addBar = (code, file) => {
        const pre = code.parentElement;
        const original = asProgram(code.textContent);
        const bar = make("div", { className: "run-bar" });
        bar.setAttribute("role", "group");
        bar.setAttribute("aria-label", "Run this program online");
        const button = (name, action) => {
            const made = make("button", { type: "button", textContent: name });
            made.addEventListener("click", action);
            bar.append(made);
            return made;
        };
        // It is there from the start, so that a screen reader reads what is put into it.
        const answer = make("div", { className: "run-answer" });
        answer.setAttribute("role", "status");
        const say = (text, kind) => answer.replaceChildren(make("pre", { className: kind, textContent: text }));

        let editor;
        const program = () => editor ? editor.value : original;
        const run = button("Run", async () => {
            if (run.getAttribute("aria-disabled") === "true") {
                return;
            }
            // A disabled button would lose the focus of the keyboard.
            run.setAttribute("aria-disabled", "true");
            say("Running on play.rust-lang.org ..", "run-note");
            try {
                say(shown(await send(request(program(), await load(file)))), "run-output");
            } catch (error) {
                say(error.message, "run-note");
            }
            run.removeAttribute("aria-disabled");
        });
        const edit = button("Edit", () => {
            if (editor) {
                editor.remove();
                editor = undefined;
                pre.hidden = false;
                edit.textContent = "Edit";
                answer.replaceChildren();
                return;
            }
            editor = make("textarea", {
                className: "run-editor", value: original, rows: original.split("\n").length, spellcheck: false, wrap: "off",
            });
            editor.setAttribute("aria-label", "The program, to be edited");
            editor.setAttribute("autocapitalize", "off");
            pre.after(editor);
            pre.hidden = true;
            edit.textContent = "Reset";
            editor.focus();
            editor.setSelectionRange(0, 0);
        });
        const copy = button("Copy all", async () => {
            try {
                await navigator.clipboard.writeText(program());
                copy.textContent = "Copied";
            } catch {
                copy.textContent = "Cannot copy";
            }
            setTimeout(() => copy.textContent = "Copy all", 2000);
        });
        pre.after(bar, answer);
    };

    document.querySelectorAll("main pre > code.language-rust").forEach((code) => {
        const which = [...code.classList].find((name) => LIBRARIES[name] || name.startsWith(LACKS));
        if (LIBRARIES[which]) {
            addBar(code, LIBRARIES[which]);
        } else if (which) {
            const textContent = `Runs on your machine only, because the online playground lacks what it uses of the crate ${which.slice(LACKS.length)}.`;
            code.parentElement.after(make("p", { className: "run-bar", textContent }));
        }
    });
})();
