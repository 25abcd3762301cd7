// The main job on real input, for people and for CI: starts `siod --dev`, connects an agent with the real
// socket.io-client, replays the recorded webhooks through sioctl, and prints what the agent received next to what
// `sioctl tail` saw. Then it leaves the daemon running in the foreground.
//
//   node main_job.mjs [--once] [DIR]     DIR holds the daemon's state: ./siod-dev
//   --once: a temporary state directory and a free port; ends with 0 if the agent and tail agree.
import { spawn, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bin = process.env.SIOD_BIN ?? join(root, "build/bin");
const vectors = join(root, "tests/vectors/webhooks");
const deadlineMs = 60000;
// Two customers, and the business's phone, in the order in which it could have happened.
const story = [
    "text", "text_unicode_wire", "image", "audio_voice", "echo", "status_sent", "status_delivered", "text_reply",
    "location", "status_read", "interactive_list_reply", "unsupported", "batch", "text_lone_surrogate",
];
const expected = ["whatsapp_message_received", "new_message", "message_status_update"];

const { values: options, positionals } = parseArgs({
    options: { once: { type: "boolean", default: false } },
    allowPositionals: true,
});
const scratch = mkdtempSync(join(tmpdir(), "siod-run-"));
const state = positionals[0] ?? (options.once ? join(scratch, "state") : "siod-dev");
const hadState = existsSync(join(state, "siod.db"));
const children = [];

function start(program, args) {
    // pdeathsig: nothing outlives this process. detached: Ctrl-C reaches the daemon once, from stop().
    const child = spawn("setpriv", ["--pdeathsig", "TERM", program, ...args], { detached: true });
    children.push(child);
    child.ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal)));
    return child;
}

function lines(stream, seen) {
    createInterface({ input: stream }).on("line", seen);
}

function sioctl(...args) {
    return execFileSync(join(bin, "sioctl"), ["-s", join(state, "siod.sock"), ...args], { encoding: "utf8" });
}

async function until(what, condition) {
    const end = Date.now() + deadlineMs;
    while (!condition()) {
        if (Date.now() > end) {
            throw new Error(`no ${what} within ${deadlineMs / 1000} s`);
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
}

// Resolves with the address once the daemon says that it is ready.
function startSiod() {
    const listen = options.once ? ["-o", "http.listen=127.0.0.1:0"] : [];
    const siod = start(join(bin, "siod"), ["--dev", state, ...listen]);
    siod.stdout.pipe(process.stdout);
    return new Promise((resolve, reject) => {
        lines(siod.stderr, (line) => {
            process.stderr.write(`${line}\n`);
            const ready = /siod: ready on (\S+)/.exec(line);
            if (ready) {
                resolve({ siod, url: `http://${ready[1]}` });
            }
        });
        siod.ended.then((how) => reject(new Error(`siod did not start (${how}): its last line says why`)));
    });
}

function startAgent(url) {
    const token = sioctl("token", "mint", "--user", "7", "--business", "1", "--key-file", join(state, "jwt.key"));
    const agent = start(process.execPath, [
        join(root, "tests/lib/agent.mjs"), "--url", url, "--token", token.trim(), "--join",
    ]);
    agent.seen = [];
    lines(agent.stdout, (line) => agent.seen.push(JSON.parse(line)));
    agent.stderr.pipe(process.stderr);
    agent.events = () => agent.seen.filter(({ type }) => type === "event");
    return agent;
}

function startTail() {
    const tail = start(join(bin, "sioctl"), ["-s", join(state, "siod.sock"), "tail", "-o", "ndjson"]);
    tail.seen = [];
    tail.words = "";
    lines(tail.stdout, (line) => tail.seen.push(JSON.parse(line)));
    tail.stderr.on("data", (words) => (tail.words += words));
    return tail;
}

// Where the state directory has seen the recordings before, they would be duplicates: give them new message ids.
function recordings() {
    const paths = story.map((name) => join(vectors, `${name}.json`));
    if (!hadState) {
        return paths;
    }
    const run = Date.now().toString(36);
    return paths.map((path) => {
        const copy = join(scratch, basename(path));
        writeFileSync(copy, readFileSync(path, "utf8").replaceAll('"wamid.', `"wamid.${run}.`));
        return copy;
    });
}

// The first recording again under another id: what comes out of it comes out last.
function endMark(first) {
    const id = `wamid.end.${Date.now().toString(36)}`;
    const path = join(scratch, "end.json");
    writeFileSync(path, readFileSync(first, "utf8").replace(/"wamid\.[^"]*"/, `"${id}"`));
    return { id, path };
}

async function replay(agent, tail) {
    const [first, ...rest] = recordings();
    const end = endMark(first);
    sioctl("webhook", "replay", first);
    await until("chat joined by the agent", () => agent.seen.some(({ tag }) => tag?.startsWith("join ")));
    sioctl("webhook", "replay", ...rest);
    sioctl("webhook", "replay", end.path);
    const isEnd = (payload) => payload?.message?.wamid === end.id;
    const both = ["whatsapp_message_received", "new_message"];
    await until("end of what was replayed, at the agent", () =>
        both.every((name) => agent.events().some(({ event, args }) => event === name && isEnd(args[0]))));
    await until("end of what was replayed, in tail", () =>
        both.every((name) => tail.seen.some(({ event, payload }) => event === name && isEnd(payload))));
}

function summary(event, payload) {
    const { message, chatId, messageId, status } = payload;
    const about = message ? `${message.type} "${message.text ?? ""}"` : status ? `message ${messageId} ${status}` : "";
    return `${event} ${chatId ?? message?.chatId ?? ""} ${about}`.replaceAll(/[\s\p{Cc}]+/gu, " ");
}

function cell(text, width) {
    const letters = [...text];
    return (letters.length > width ? `${letters.slice(0, width - 1).join("")}…` : text).padEnd(width);
}

// One row per event of tail, with what the agent received beside it. A chat's events reach the agent once it has
// joined; everything else that tail saw must have reached it, and it must have received nothing else.
function compare(agent, tail) {
    const width = Math.max(30, Math.floor(((process.stdout.columns ?? 160) - 12) / 2));
    const received = agent.events().map(({ event, args }) => [event, JSON.stringify(args[0])]);
    const rooms = new Set();
    let missing = 0;
    console.log(`\n${cell("the agent received", width)} │ sioctl tail saw`);
    for (const { position, event, room, payload } of tail.seen) {
        const at = received.findIndex(([name, text]) => name === event && text === JSON.stringify(payload));
        if (at >= 0) {
            received.splice(at, 1);
            rooms.add(room);
        } else if (rooms.has(room)) {
            missing++;
        }
        const left = at >= 0 ? summary(event, payload) : rooms.has(room) ? "MISSING" : "(not in the chat yet)";
        console.log(`${cell(left, width)} │ ${cell(`${position ?? "-"} ${room} ${summary(event, payload)}`, width).trimEnd()}`);
    }
    received.forEach(([event, text]) => console.log(`${cell(summary(event, JSON.parse(text)), width)} │ MISSING`));
    return missing + received.length;
}

function verdict(agent, tail) {
    const differences = compare(agent, tail);
    const unseen = expected.filter((name) => !agent.events().some(({ event }) => event === name));
    if (unseen.length > 0) {
        console.log(`\nThe agent never received: ${unseen.join(", ")}.`);
    }
    console.log(`\n${agent.events().length} events received, ${tail.seen.length} in tail, ${differences} differences.`);
    return differences === 0 && unseen.length === 0;
}

function nextCommands(url) {
    const ctl = `build/bin/sioctl${state === "siod-dev" ? "" : ` -s ${join(state, "siod.sock")}`}`;
    console.log(`
siod goes on running at ${url}; Ctrl-C stops it. In another terminal:
    ${ctl} status
    ${ctl} chat list
    ${ctl} tail
    ${ctl} webhook replay tests/vectors/webhooks/*.json
    ${ctl} token mint --user 7 --business 1 --key-file ${join(state, "jwt.key")}
`);
}

async function stop(siod) {
    siod.kill("SIGTERM");
    return siod.ended;
}

async function main() {
    const { siod, url } = await startSiod();
    const agent = startAgent(url);
    const tail = startTail();
    await until("tail", () => JSON.parse(sioctl("status", "-o", "json")).control.tails > 0);
    await until("connection of the agent", () => agent.seen.some(({ type }) => type === "connect"));
    await replay(agent, tail);
    const good = verdict(agent, tail);
    agent.kill();
    tail.kill();
    if (!options.once && good) {
        nextCommands(url);
        process.once("SIGINT", () => stop(siod));
        process.once("SIGTERM", () => stop(siod));
        return (await siod.ended) === 0;
    }
    return (await stop(siod)) === 0 && good;
}

main()
    .catch((error) => {
        console.error(`run: ${error.message}`);
        return false;
    })
    .then((good) => {
        children.forEach((child) => child.kill());
        rmSync(scratch, { recursive: true, force: true });
        process.exit(good ? 0 : 1);
    });
