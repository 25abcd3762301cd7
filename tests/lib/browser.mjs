// A desk page in a real browser: headless Chromium loads it from an origin of its own, and it talks to siod, or to the
// conformance server, with the client bundle.
//
//   node browser.mjs echo|desk|refused --url URL --origin http://desk.example
//                    [--bundle URL] [--token JWT --secret-file FILE --phone-number-id N]
//
// The page and what it does is browser_page.mjs. It is served here under any name that the browser asks for, and its
// outcome is posted back: one line of JSON, and 0, or 1 and what was wrong. --bundle: where the client comes from,
// otherwise from here.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { parseArgs } from "node:util";
import { newCustomer } from "./customer.mjs";

const DEADLINE_MS = 60000;
const OWN_BUNDLE = "/socket.io.min.js";
const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        url: { type: "string" },
        origin: { type: "string" },
        bundle: { type: "string", default: OWN_BUNDLE },
        token: { type: "string" },
        "secret-file": { type: "string" },
        "phone-number-id": { type: "string" },
    },
});
const job = { scenario: positionals[0], url: options.url, token: options.token };
const page = `<!doctype html><meta charset="utf-8"><title>desk</title>
<script src="${options.bundle}" crossorigin="use-credentials"></script>
<script>const job = ${JSON.stringify(job)};</script>
<script type="module" src="/page.mjs"></script>`;
const files = {
    "/": ["text/html; charset=utf-8", page],
    "/page.mjs": ["text/javascript", readFileSync(new URL("browser_page.mjs", import.meta.url))],
    [OWN_BUNDLE]: ["text/javascript", readFileSync(new URL("../node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url))],
};
const customerWrites =
    options["secret-file"] && newCustomer(options.url, options["secret-file"], options["phone-number-id"]);

// Resolves with what the page posts in the end.
function servePage(server) {
    return new Promise((resolve) => {
        const posts = {
            "/customer": (body) => customerWrites(body),
            "/result": (body) => resolve(JSON.parse(body)),
        };

        server.on("request", async (request, response) => {
            const [type, file] = files[request.url] ?? [];

            try {
                if (request.method === "POST") {
                    await posts[request.url](await text(request));
                    response.end();
                } else {
                    response.writeHead(file === undefined ? 404 : 200, { "content-type": type ?? "text/plain" });
                    response.end(file);
                }
            } catch (error) {
                response.writeHead(500).end(String(error));
            }
        });
    });
}

// Every name of the page's top level domain is this machine, so that origins are those of a real deployment. It dies
// with this process.
function startBrowser(port, profile) {
    return spawn(
        "setpriv",
        [
            "--pdeathsig", "KILL", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--ignore-certificate-errors", "--enable-logging=stderr",
            `--host-resolver-rules=MAP *.example 127.0.0.1:${port}`, `--user-data-dir=${profile}`, options.origin,
        ],
        { stdio: ["ignore", "ignore", "pipe"] }
    );
}

function late() {
    return new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error(`no result within ${DEADLINE_MS} ms`)), DEADLINE_MS).unref();
    });
}

async function run(server, profile) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const result = servePage(server);
    const browser = startBrowser(server.address().port, profile);
    const log = text(browser.stderr);
    const ended = once(browser, "close");

    try {
        return await Promise.race([
            result,
            late(),
            ended.then(async ([code]) => ({ error: `chromium ended with ${code}: ${await log}` })),
        ]);
    } catch (error) {
        browser.kill("SIGTERM");
        return { error: `${error.message}: ${await log}` };
    } finally {
        browser.kill("SIGTERM");
        await ended;
    }
}

const server = createServer();
const profile = mkdtempSync(join(tmpdir(), "siod-browser-"));
process.on("exit", () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));
process.on("SIGTERM", () => process.exit(1));
const outcome = await run(server, profile);
if (outcome.error === undefined) {
    console.log(JSON.stringify(outcome));
} else {
    console.error(outcome.error);
}
process.exit(outcome.error === undefined ? 0 : 1);
