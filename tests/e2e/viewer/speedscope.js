// SPDX-License-Identifier: MIT
//
// speedscope.js - loads a profile into speedscope in a headless browser and
// tells what a person would see
//
//     node speedscope.js NPM_DIR PROFILE.json PICTURE_PREFIX
//
// Prints one JSON object: profiles (their names, in the list's order), frames
// (by profile: the visible rows of the sandwich view's table), console (warnings
// and errors), failures (of pages and requests), pictures (PREFIX-N.png: the
// first profiles in time order).
"use strict";

const fs = require("fs");
const http = require("http");
const os = require("os");
const path = require("path");

const [npmDir, profile, pictures] = process.argv.slice(2);
const { chromium } = require(path.join(npmDir, "node_modules/playwright-core"));
const site = path.join(npmDir, "node_modules/speedscope/dist/release");
const TYPES = { ".html": "text/html", ".js": "text/javascript",
    ".css": "text/css", ".json": "application/json",
    ".wasm": "application/wasm", ".woff2": "font/woff2" };
const TIMEOUT_MS = 60000;
const PICTURES = Number(process.env.COTRACE_N_PICTURES || 4);

// The site and the profile, for this process only.
function serve() {
    const server = http.createServer((request, response) => {
        const name = decodeURIComponent(request.url.split("?")[0]);
        const file = name === "/profile.json" ? profile
            : path.join(site, path.normalize(name === "/" ? "/index.html"
                : name));
        fs.readFile(file, (error, content) => {
            response.writeHead(error ? 404 : 200, { "Content-Type":
                TYPES[path.extname(file)] || "application/octet-stream" });
            response.end(error ? "" : content);
        });
    });
    return new Promise((resolve) => server.listen(0, "127.0.0.1", () =>
        resolve(server)));
}

// The list of profiles is in the page, though shown only on demand.
function profiles(page) {
    return page.$$eval("tr[title]", (rows) =>
        rows.map((row) => row.getAttribute("title")));
}

// The rows of the sandwich view's table: total, self, name.
function frames(page) {
    return page.$$eval("tr:not([title])", (rows) => rows
        .map((row) => [...row.querySelectorAll("td")])
        .filter((cells) => cells.length === 3)
        .map((cells) => ({ total: cells[0].innerText.trim(),
            self: cells[1].innerText.trim(), name: cells[2].innerText.trim() })));
}

function drawn(page) {
    return page.evaluate(() => new Promise((done) =>
        requestAnimationFrame(() => requestAnimationFrame(done))));
}

// Goes to the first profile, then from one to the next; calls `each` there.
async function walk(page, names, most, each) {
    for (let i = 0; i < names.length; i++) {
        await page.keyboard.press("p");
    }
    for (const name of names.slice(0, most)) {
        await page.waitForFunction((wanted) =>
            document.body.innerText.includes(`${wanted} (`), name,
        { timeout: TIMEOUT_MS });
        await drawn(page);
        await each(name);
        await page.keyboard.press("n");
    }
}

async function look(page, origin, told) {
    await page.goto(`${origin}/#profileURL=` +
        encodeURIComponent(`${origin}/profile.json`));
    await page.waitForSelector("text=Left Heavy", { timeout: TIMEOUT_MS });
    told.profiles = await profiles(page);
    await page.keyboard.press("3");
    await page.waitForSelector("text=Symbol Name", { timeout: TIMEOUT_MS });
    await walk(page, told.profiles, Infinity, async (name) => {
        told.frames[name] = await frames(page);
    });
    await page.keyboard.press("1");
    await walk(page, told.profiles, PICTURES, async (name) => {
        const number = told.profiles.indexOf(name) + 1;
        await page.screenshot({ path: `${pictures}-${number}.png` });
        told.pictures.push(`${pictures}-${number}.png`);
    });
}

async function main() {
    const told = { profiles: [], frames: {}, console: [], failures: [],
        pictures: [] };
    const data = fs.mkdtempSync(path.join(os.tmpdir(), "cotrace-browser-"));
    const server = await serve();
    let browser;
    try {
        browser = await chromium.launchPersistentContext(data, {
            executablePath: "/usr/bin/chromium",
            headless: true,
            args: ["--headless", "--no-sandbox", "--disable-quic",
                "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync",
                "--enable-unsafe-swiftshader", "--use-angle=swiftshader"],
            viewport: { width: 1280, height: 900 },
            env: { ...process.env, HOME: data },
        });
        const page = await browser.newPage();
        page.on("console", (message) => {
            if (["warning", "error"].includes(message.type())) {
                told.console.push(`${message.type()}: ${message.text()}`);
            }
        });
        page.on("pageerror", (error) => told.failures.push(String(error)));
        page.on("requestfailed", (request) =>
            told.failures.push(`${request.url()} failed`));
        page.on("dialog", (dialog) => {
            told.failures.push(`dialog: ${dialog.message()}`);
            dialog.dismiss();
        });
        await look(page, `http://127.0.0.1:${server.address().port}`, told);
        console.log(JSON.stringify(told));
    } finally {
        if (browser) {
            await browser.close();
        }
        server.close();
        server.closeAllConnections();
        fs.rmSync(data, { recursive: true, force: true });
    }
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
