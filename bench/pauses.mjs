#!/usr/bin/env node
// How long webhooks wait while a large store is cared for: 200 a second, each of one message, whose answers are timed
// from when they were due, into a fresh siod (synchronous=FULL) on a copy of a store with 100,000 messages, for each of
// what an operator or the platform may ask of it meanwhile. Beside them the longest round of siod's loop.
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { cpSync, readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { readMetrics } from "./driver/load.mjs";
import { machineFacts } from "./driver/machine.mjs";
import { namesOf, numberOf, parse } from "./driver/options.mjs";
import { layOut } from "./driver/report.mjs";
import { binaries, end, run, start, stop, workDirs } from "./driver/servers.mjs";

const phoneNumberId = "100000000000001";
const perSecond = 200;
const restS = 5; // of webhooks alone, and the least that is measured
const batch = 500; // messages, or statuses, in one body while the store is filled
const customers = 4000;
const waitTooLongMs = 250;

// The customers with very many messages; the two that are joined are known by number and by user id.
const erased = { from: "491600000001" };
const joined = [{ from: "491600000002" }, { from_user_id: "DE.1600000002" }];
const kept = ["retention.raw_body_days=0", "retention.log_days=0", "retention.message_days=0"];
const purged = ["retention.raw_body_days=8", "retention.log_days=1", "retention.message_days=1"];

const phases = {
    nothing: { work: () => {} },
    backup: { work: (server) => sioctl(server, "store", "backup", join(server.dir, "backup.db")) },
    check: { work: (server) => sioctl(server, "store", "check") },
    purge: { options: purged, aged: true, work: purge },
    erase: { work: (server) => sioctl(server, "contact", "erase", erased.from) },
    join: { work: (server) => post(server, bodyOf([{ ...joined[0], ...joined[1], ...text("wamid.join") }])) },
};
const usage = `usage: ./dev bench pauses [--messages N] [--phases NAME,...]

phases: ${Object.keys(phases).join(" ")}
`;

const text = (id) => ({ id, timestamp: String(Math.floor(Date.now() / 1000)), type: "text", text: { body: "hello" } });

function bodyOf(messages, statuses = []) {
    const parties = new Map(messages.map((message) => [`${message.from} ${message.from_user_id}`, message]));
    const contacts = [...parties.values()].map(({ from, from_user_id }) => ({
        profile: { name: `Customer ${from ?? from_user_id}` },
        wa_id: from,
        user_id: from_user_id,
    }));
    const metadata = { display_phone_number: "15550000001", phone_number_id: phoneNumberId };
    const value = { messaging_product: "whatsapp", metadata, contacts, messages, statuses };
    return JSON.stringify({
        object: "whatsapp_business_account",
        entry: [{ id: "1", changes: [{ field: "messages", value }] }],
    });
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

function post(server, body) {
    const secret = readFileSync(join(server.dir, "app.secret"), "utf8").trim();
    const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    };
    const options = { port: server.port, path: "/webhook", method: "POST", agent, headers };
    return new Promise((resolve, reject) => {
        const request = http.request(options, (answer) => {
            answer.on("end", () => resolve(answer.statusCode)).on("error", reject).resume();
        });
        request.on("error", reject).end(body);
    });
}

async function sioctl(server, ...words) {
    const command = [join(binaries, "sioctl"), "-s", join(server.dir, "siod.sock"), ...words];
    const child = run("0,1", command, { log: join(server.dir, "sioctl.log") });
    const code = await child.ended;
    if (code !== 0) {
        throw new Error(`sioctl ${words.join(" ")}: ${code}: ${readFileSync(join(server.dir, "sioctl.log"), "utf8")}`);
    }
}

// siod begins by itself; over when three seconds brought nothing more.
async function purge(server) {
    let before = -1;
    for (let now = 0; now > before; now = await removedRows(server)) {
        before = now;
        await sleep(3000);
    }
}

async function removedRows(server) {
    const metric = await readMetrics(server);
    const kinds = ["webhook", "log", "message", "status", "change"];
    return kinds.reduce((sum, kind) => sum + metric(`siod_store_purged_rows_total{kind="${kind}"}`), 0);
}

// ---- the store

async function fill(dirs, messages) {
    const server = await start("siod", dirs.state, join(dirs.work, "fill"), "0,1", kept);
    const parties = [erased, erased, erased, joined[0], joined[0], joined[1], joined[1]];
    for (let at = 0; at < messages; at += batch) {
        const rows = Array.from({ length: batch }, (_, i) => ({
            ...(parties[i % 10] ?? { from: String(15550000000 + ((at + i) % customers)) }),
            ...text(`wamid.${at + i}`),
        }));
        const statuses = rows.map(({ id, timestamp }) => ({ id: `${id}.sent`, timestamp, status: "sent" }));
        const codes = [await post(server, bodyOf(rows)), await post(server, bodyOf([], statuses))];
        if (codes.some((code) => code !== 200)) {
            throw new Error(`answered ${codes} while the store was filled`);
        }
    }
    await stop(server);
    return server.dir;
}

// As if all that is in it had come ten days ago.
function age(dir) {
    const day = 86_400_000;
    execFileSync("sqlite3", [join(dir, "siod.db")], {
        input: `UPDATE webhook SET received_at_ms = received_at_ms - 10 * ${day};
            UPDATE log SET at_ms = at_ms - 10 * ${day};
            UPDATE message SET wa_timestamp_s = wa_timestamp_s - 864000, created_at_ms = created_at_ms - 10 * ${day};
            PRAGMA wal_checkpoint(TRUNCATE);`,
    });
}

// ---- webhooks

// At a steady rate until stop() is called; resolves to how long each took, in ms.
function deliver(server) {
    const took = [];
    const answers = [];
    const began = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
        while (performance.now() - began >= (sent * 1000) / perSecond) {
            const due = began + (sent * 1000) / perSecond;
            const message = { from: String(15550000000 + (sent % customers)), ...text(`wamid.live.${sent}`) };
            sent++;
            const answer = post(server, bodyOf([message])).then((code) => {
                took.push(performance.now() - due);
                return code;
            });
            answers.push(answer);
        }
    }, 1);
    return async () => {
        clearInterval(timer);
        const wrong = (await Promise.all(answers)).filter((code) => code !== 200).length;
        return { took: took.sort((a, b) => a - b), wrong };
    };
}

const part = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

async function measure(dirs, filled, name) {
    const { work, options = kept, aged = false } = phases[name];
    const state = join(dirs.work, "state-of-phase");
    cpSync(filled, state, { recursive: true });
    if (aged) {
        age(state);
    }
    const dir = join(dirs.work, "phase");
    const server = await start("siod", state, dir, "0,1", options);
    try {
        const before = await readMetrics(server);
        const ended = deliver(server);
        const began = performance.now();
        await work(server);
        const tookS = (performance.now() - began) / 1000;
        await sleep(Math.max(restS - tookS, 1) * 1000);
        const { took, wrong } = await ended();
        const after = await readMetrics(server);
        const late = took.filter((ms) => ms > waitTooLongMs).length;
        const slow = after("siod_loop_slow_rounds_total") - before("siod_loop_slow_rounds_total");
        return [
            name,
            tookS.toFixed(1),
            took.length,
            part(took, 0.5).toFixed(1),
            part(took, 0.99).toFixed(1),
            took.at(-1).toFixed(1),
            late,
            wrong,
            (after("siod_loop_longest_round_microseconds") / 1000).toFixed(1),
            slow,
        ].map(String);
    } finally {
        await stop(server);
        rmSync(dir, { recursive: true, force: true });
        rmSync(state, { recursive: true, force: true });
    }
}

async function main() {
    const values = parse({ messages: { type: "string", default: "100000" }, phases: { type: "string" } }, usage);
    const messages = numberOf(values.messages, "messages");
    const names = namesOf(values.phases, phases, "phase", usage);
    const dirs = workDirs();
    const filled = await fill(dirs, messages);
    const head = ["phase", "s", "webhooks", "p50 ms", "p99 ms", "max ms", "late", "wrong", "round ms", "slow"];
    const rows = [head];
    for (const name of names) {
        rows.push(await measure(dirs, filled, name));
    }
    const facts = machineFacts().map(([what, said]) => `* ${what}: ${said}`);
    console.log([...facts, "", `${messages} messages, ${perSecond} webhooks/s`, ...layOut(rows)].join("\n"));
    agent.destroy();
    await end(0);
}

await main().catch(async (error) => {
    console.error(`bench: ${error.message}`);
    await end(1);
});
