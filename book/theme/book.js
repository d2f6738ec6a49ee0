// What mdBook's pages lack for readers who use the keyboard or a screen reader.
"use strict";
(() => {
    // mdBook puts `aria-expanded` and `aria-controls` on a label, which may have them as a button only.
    document.querySelectorAll("label[aria-controls]").forEach((label) => label.setAttribute("role", "button"));

    // Code and tables that are wider than the page scroll by themselves, so the keyboard must reach them.
    document.querySelectorAll("main pre > code, main .table-wrapper").forEach((box) => {
        if (box.scrollWidth > box.clientWidth) {
            box.tabIndex = 0;
        }
    });

    // The boxes of a checklist are named by the sentence beside them.
    document.querySelectorAll("main li > input[type=checkbox], main li > p > input[type=checkbox]").forEach((box) => {
        box.setAttribute("aria-label", box.closest("li").textContent.trim());
    });
})();
