// Makes a guard to play with of the table that says what a guard does in each state. Each answer is a cell of that table.
"use strict";
(() => {
    const table = document.querySelector("table.life-of-a-guard");
    if (!table) {
        return;
    }
    const choices = [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.innerHTML));
    const steps = [...new Set(choices.map(([, step]) => step))];
    const BEGINNING = choices[0][0];
    let state = BEGINNING;

    const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
    const now = make("p", { className: "state" });
    const buttons = make("div", { className: "steps" });
    const history = make("ol");
    // What is added to it is read aloud.
    const log = make("div");
    log.setAttribute("role", "log");
    log.setAttribute("aria-label", "What happened");
    log.append(history);

    const answer = (step) => choices.find((choice) => choice[0] === state && choice[1] === step);
    const show = () => {
        now.innerHTML = `The guard is <strong>${state}</strong>.`;
        for (const button of buttons.querySelectorAll("[data-step]")) {
            // A disabled button would lose the focus of the keyboard.
            button.setAttribute("aria-disabled", String(!answer(button.dataset.step)));
        }
    };
    for (const step of steps) {
        const button = make("button", { type: "button", innerHTML: step });
        button.dataset.step = step;
        button.addEventListener("click", () => {
            const found = answer(step);
            if (found) {
                state = found[3];
                history.append(make("li", { innerHTML: `${step}: ${found[2]}` }));
                show();
            }
        });
        buttons.append(button);
    }
    const again = make("button", { type: "button", textContent: "begin again", className: "again" });
    again.addEventListener("click", () => {
        state = BEGINNING;
        history.replaceChildren();
        show();
    });
    buttons.append(again);
    show();

    const toy = make("div", { className: "simulator" });
    toy.setAttribute("role", "group");
    toy.setAttribute("aria-label", "A guard to play with");
    toy.append(buttons, now, log);
    const folded = table.closest("details");
    folded.open = false;
    folded.before(toy);
})();
