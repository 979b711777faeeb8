// SPDX-License-Identifier: MIT
//
// diff_page.js - opens a page of `cotrace diff --html` as a file in a headless
// browser and tells what a person would see
//
//     node diff_page.js NPM_DIR PAGE.html PICTURE_PREFIX
//
// Prints one JSON object: title, verdict, note, list (the differences), more
// (what is said below them), first (what is told when the page opens), steps
// (likewise, of each difference in turn), hit (when what is picked is clicked on
// the canvas), heights (of the canvas, the view and all of it), all (after `0`),
// ms (to show everything once), console, failures, requests (anything but the
// page itself), pictures
// (PREFIX-light.png, PREFIX-dark.png).
"use strict";

const fs = require("fs");
const os = require("os");
const path = require("path");

const [npmDir, file, pictures] = process.argv.slice(2);
const { chromium } = require(path.join(npmDir, "node_modules/playwright-core"));
const STEPS = 5;

function drawn(page) {
    return page.evaluate(() => new Promise((done) =>
        requestAnimationFrame(() => requestAnimationFrame(done))));
}

function text(page, id) {
    return page.$eval(`#${id}`, (element) => element.textContent);
}

async function told_of(page) {
    await drawn(page);
    return { a: await text(page, "what-a"), b: await text(page, "what-b"),
        below: [await text(page, "text-a"), await text(page, "text-b")],
        current: await page.$$eval("#list button", (buttons) =>
            buttons.findIndex((one) => one.hasAttribute("aria-current"))),
        drawn: Number(await page.$eval("#canvas", (one) => one.dataset.drawn)) };
}

// What is told after a click where the picked one is drawn.
async function hit_of(page) {
    const place = await page.evaluate(() => {
        const side = picked[0] >= 0 ? 0 : 1, i = picked[side];
        const box = canvas.getBoundingClientRect();
        const at = i < 0 ? null : [box.x + toX(side, data.runs[side].begin[i]) +
            1, box.y + yOf(side, i) - view.scrollTop + 5];
        pick(-1, -1, null);
        return at;
    });
    if (place) {
        await page.mouse.click(...place);
    }
    return told_of(page);
}

// How many pixels of the canvas are as no background is.
function coloured(page) {
    return page.$eval("#canvas", (canvas) => {
        const all = canvas.getContext("2d").getImageData(0, 0, canvas.width,
            canvas.height).data;
        const seen = new Map();
        for (let i = 0; i < all.length; i += 4) {
            const key = (all[i] << 16) | (all[i + 1] << 8) | all[i + 2];
            seen.set(key, (seen.get(key) || 0) + 1);
        }
        return seen.size;
    });
}

async function look(page, told) {
    await page.goto(`file://${path.resolve(file)}`);
    await page.waitForSelector("body[data-ready]", { timeout: 60000 });
    told.title = await text(page, "title");
    told.verdict = await text(page, "verdict");
    told.note = await text(page, "note");
    told.words = await text(page, "words");
    told.list = await page.$$eval("#list button", (buttons) =>
        buttons.map((one) => one.textContent));
    told.more = await page.$$eval("#list p", (all) =>
        all.map((one) => one.textContent).join());
    told.scripts = await page.$$eval("script", (all) => all.length);
    told.images = await page.$$eval("img, iframe, object, link",
        (all) => all.length);
    told.first = await told_of(page);
    for (let i = 0; i < told.first.current; i++) {
        await page.keyboard.press("p");
    }
    for (let i = 0; i < Math.min(STEPS, told.list.length); i++) {
        told.steps.push(await told_of(page));
        await page.keyboard.press("n");
    }
    if (told.list.length) {
        await page.click("#list button");
        told.clicked = await told_of(page);
    }
    told.hit = await hit_of(page);
    told.colours = await coloured(page);
    told.heights = await page.evaluate(() => [canvas.clientHeight,
        view.clientHeight, view.scrollHeight]);
    for (const scheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: scheme });
        await drawn(page);
        await page.screenshot({ path: `${pictures}-${scheme}.png` });
        told.pictures.push(`${pictures}-${scheme}.png`);
    }
    await page.keyboard.press("0");
    told.all = await told_of(page);
    told.ms = await page.evaluate(() => {
        const begin = performance.now();
        everything();
        draw();
        return performance.now() - begin;
    });
    await page.screenshot({ path: `${pictures}-all.png` });
    told.pictures.push(`${pictures}-all.png`);
}

async function main() {
    const told = { steps: [], console: [], failures: [], requests: [],
        pictures: [] };
    const data = fs.mkdtempSync(path.join(os.tmpdir(), "cotrace-browser-"));
    let browser;
    try {
        browser = await chromium.launchPersistentContext(data, {
            executablePath: "/usr/bin/chromium",
            headless: true,
            offline: true,
            args: ["--headless", "--no-sandbox", "--disable-quic",
                "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync",
                "--disable-gpu"],
            viewport: { width: 1280, height: 900 },
            env: { ...process.env, HOME: data },
        });
        const page = await browser.newPage();
        page.on("console", (message) =>
            told.console.push(`${message.type()}: ${message.text()}`));
        page.on("pageerror", (error) => told.failures.push(String(error)));
        page.on("request", (request) => told.requests.push(request.url()));
        page.on("dialog", (dialog) => {
            told.failures.push(`dialog: ${dialog.message()}`);
            dialog.dismiss();
        });
        await look(page, told);
        console.log(JSON.stringify(told));
    } finally {
        if (browser) {
            await browser.close();
        }
        fs.rmSync(data, { recursive: true, force: true });
    }
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
