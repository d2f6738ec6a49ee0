// What mdBook's pages lack for readers who use the keyboard or a screen reader.
"use strict";
(() => {
    // mdBook puts `aria-expanded` and `aria-controls` on a label, which may have them as a button only.
    // As a button it must take the focus, and both keys.
    document.querySelectorAll("label[aria-controls]").forEach((label) => {
        label.setAttribute("role", "button");
        label.tabIndex = 0;
        label.addEventListener("keydown", (event) => {
            if (event.key === "Enter" || event.key === " ") {
                event.preventDefault();
                label.click();
            }
        });
    });

    // On a phone, a long name in the first column would push the others off the screen. It may break between its words.
    document.querySelectorAll("main td:first-child > code:only-child").forEach((name) => {
        const words = name.textContent.split(/(?<=::|_)/);
        name.replaceChildren(...words.flatMap((word, n) => n > 0 ? [document.createElement("wbr"), word] : [word]));
    });

    // Code and tables that are wider than the page scroll by themselves, so the keyboard must reach them.
    document.querySelectorAll("main pre > code, main .table-wrapper").forEach((box) => {
        if (box.scrollWidth > box.clientWidth) {
            box.tabIndex = 0;
        }
    });

    // The boxes of a checklist are there to be ticked, and are named by the sentence beside them.
    document.querySelectorAll("main li > input[type=checkbox], main li > p > input[type=checkbox]").forEach((box) => {
        box.disabled = false;
        box.setAttribute("aria-label", box.closest("li").textContent.trim());
    });
})();
