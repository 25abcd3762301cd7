#!/usr/bin/env node
// How siod's costs grow with what it holds: members of a room, connections, rooms, chats in the store. Each table has
// the cost of one unit at several sizes; a unit that costs more the more there are is worse than linear.
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { load, readMetrics } from "./driver/load.mjs";
import { namesOf, parse } from "./driver/options.mjs";
import { layOut } from "./driver/report.mjs";
import { binaries, end, start, stop, workDirs } from "./driver/servers.mjs";

// All units together may cost n to this power: a tree that gets deeper and a machine that is not at rest stay below.
const linear = 1.15;
const measured = { warmup: 1, seconds: 2 };
const longestWindowS = 62; // siod's longest round is of the last 30 to 60 seconds

const growths = { members, connections, rooms, chats, list };
const usage = `usage: ./dev bench growth [--quick] [--cases NAME,...]

cases: ${Object.keys(growths).join(" ")}
`;

// A fresh siod on a copy of `state` while fn(server) runs; resolves to what fn resolves to.
async function withSiod(dirs, state, fn) {
    const dir = join(dirs.work, "server");
    rmSync(dir, { recursive: true, force: true });
    const server = await start("siod", state, dir, "0");
    execFileSync("sync", ["-f", dir]); // the copy is on disk before siod's own writes have to be
    try {
        return await fn(server);
    } finally {
        await stop(server);
    }
}

// A copy of the prepared state with `count` more chats of a business, as if that many customers had written once:
// 15550000000 and on for their numbers, chat ids behind those that are there.
function grownState(dirs, count, business, phoneNumberId) {
    const state = join(dirs.work, `state-${count}-${business}`);
    cpSync(dirs.state, state, { recursive: true });
    const sql = `
        CREATE TEMP TABLE base AS
            SELECT (SELECT last FROM sequence WHERE name = 'chat') AS chat, (SELECT max(id) FROM contact) AS contact;
        CREATE TEMP TABLE customer AS
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})
            SELECT row_number() OVER () - 1 AS i, CAST(15550000000 + i AS BLOB) AS phone FROM n
            WHERE NOT EXISTS (SELECT 1 FROM contact_alias
                WHERE business_id = ${business} AND kind = 0 AND value = CAST(15550000000 + i AS BLOB));
        INSERT INTO contact(id, business_id, name, phone, wa_id, created_at_ms)
            SELECT base.contact + 1 + i, ${business}, CAST('Customer ' || i AS BLOB), phone, phone, 0
            FROM customer, base;
        INSERT INTO contact_alias(business_id, kind, value, contact_id)
            SELECT ${business}, 0, phone, base.contact + 1 + i FROM customer, base;
        INSERT INTO chat(id, business_id, phone_number_id, contact_id, created_at_ms, waiting_since_ms, waiting_told)
            SELECT base.chat + 1 + i, ${business}, CAST('${phoneNumberId}' AS BLOB), base.contact + 1 + i, 1, 1, 1
            FROM customer, base;
        UPDATE sequence SET last = (SELECT max(id) FROM chat) WHERE name = 'chat';`;
    const input = `BEGIN;${sql}COMMIT;`;
    execFileSync("sqlite3", [join(state, "siod.db")], { input, stdio: ["pipe", "ignore", "inherit"] });
    return state;
}

function print(title, head, rows, verdict) {
    console.log([title, ...layOut([head, ...rows.map((row) => row.map(String))]), verdict, ""].join("\n"));
}

// pairs: [size, cost of a unit] from small to large. The steepest growth between two sizes that are ten times apart.
function verdictOf(pairs) {
    const powers = pairs.flatMap(([size, cost]) =>
        pairs
            .filter(([smaller]) => smaller * 10 <= size)
            .map(([smaller, before]) => 1 + Math.log(cost / before) / Math.log(size / smaller)),
    );
    const worst = Math.max(...powers).toFixed(2);
    return `${worst <= linear ? "linear" : "WORSE THAN LINEAR"}: n to the power of ${worst} at most`;
}

// One room, one message under way. All members are connections of two users: ten thousand agents who come online tell
// each other so, which is no matter of the room.
async function members(dirs, { quick }) {
    const pairs = [];
    for (const size of quick ? [1, 10, 100, 1000] : [1, 10, 100, 1000, 10000]) {
        const args = ["fanout", "--rooms", 1, "--members", size + 1, "--users", 2, "--window", 1];
        const result = await withSiod(dirs, dirs.state, (server) => load(server, args, measured));
        pairs.push([size, result.cpu_us]);
    }
    const rows = pairs.map(([size, cost]) => [size, cost.toFixed(2)]);
    print("members of a room, CPU time for a delivery", ["receivers", "µs each"], rows, verdictOf(pairs));
}

async function connections(dirs, { quick }) {
    const pairs = [];
    const rows = [];
    for (const size of quick ? [500, 5000] : [1000, 2000, 5000, 10000, 18000]) {
        const args = ["idle", "--conns", size, "--hold", 2];
        const result = await withSiod(dirs, dirs.state, (server) => load(server, args, measured));
        pairs.push([size, result.kb_each]);
        rows.push([size, result.kb_each.toFixed(2), result.cpu_us.toFixed(1)]);
    }
    const head = ["connections", "KB each", "µs to connect"];
    print("connections, resident memory and CPU time to connect", head, rows, verdictOf(pairs));
}

// 20,000 rooms entered and left again and again: memory after the last time is what it was after the first.
async function rooms(dirs, { quick }) {
    const [count, cycles] = quick ? [5000, 5] : [20000, 20];
    const state = grownState(dirs, count, 1000, "100000000001000");
    const args = ["rooms", "--conns", 20, "--rooms", count, "--cycles", cycles, "--hold", 0];
    const result = await withSiod(dirs, state, (server) => load(server, args, measured));
    const rows = result.left_kb.map((left, at) => [at + 1, Math.round(result.entered_kb[at]), Math.round(left)]);
    const first = result.left_kb[Math.min(1, cycles - 1)];
    const grown = result.left_kb.at(-1) / first;
    const verdict = grown <= 1.05 ? "memory returns" : `MEMORY GROWS: ${grown.toFixed(2)} times what it was`;
    const title = `${count} rooms entered and left, resident memory; ${result.cpu_us.toFixed(1)} µs for a change`;
    print(title, ["cycle", "KB entered", "KB left"], rows, verdict);
}

async function chats(dirs, { quick }) {
    const pairs = [];
    const rows = [];
    for (const size of quick ? [1e3, 1e4] : [1e3, 1e4, 1e5, 1e6]) {
        const state = grownState(dirs, size, 1, "100000000000001");
        const args = ["webhook", "--conns", 20, "--http", 16, "--customers", size];
        const result = await withSiod(dirs, state, (server) => load(server, args, measured));
        rmSync(state, { recursive: true, force: true });
        if (!(result.per_s > 0)) {
            throw new Error(`no webhook was answered with ${size} chats`);
        }
        pairs.push([size, result.cpu_us]);
        rows.push([size, result.cpu_us.toFixed(1), Math.round(result.per_s), result.lost + result.doubled]);
    }
    const head = ["chats", "µs each", "webhooks/s", "wrong"];
    print("chats in the store, CPU time for a webhook", head, rows, verdictOf(pairs));
}

// The CPU time and the longest round of the loop while `sioctl room list` runs, some times.
async function listRooms(server) {
    const before = await readMetrics(server);
    const began = performance.now();
    const command = ["-s", join(server.dir, "siod.sock"), "-o", "ndjson", "room", "list"];
    const out = execFileSync(join(binaries, "sioctl"), command, { maxBuffer: 2 ** 28 });
    const took = performance.now() - began;
    const after = await readMetrics(server);
    return {
        rooms: out.toString().split("\n").length - 1,
        took,
        slow: after("siod_loop_slow_rounds_total") - before("siod_loop_slow_rounds_total"),
        longest: after("siod_loop_longest_round_microseconds") / 1000,
    };
}

async function list(dirs, { quick }) {
    const sizes = quick ? [10000] : [10000, 100000];
    const rows = [];
    let slow = 0;
    for (const size of sizes) {
        const state = grownState(dirs, size, 1000, "100000000001000");
        await withSiod(dirs, state, async (server) => {
            const args = ["rooms", "--conns", 250, "--rooms", size, "--cycles", 1, "--hold", longestWindowS + 15];
            const holding = load(server, args, measured);
            while ((await readMetrics(server))("siod_socketio_rooms") < size) {
                await sleep(100);
            }
            await sleep(longestWindowS * 1000);
            for (let time = 0; time < 3; time++) {
                const listed = await listRooms(server);
                slow = Math.max(slow, listed.longest);
                rows.push([listed.rooms, listed.took.toFixed(0), listed.slow, listed.longest.toFixed(1)]);
            }
            await holding;
        });
        rmSync(state, { recursive: true, force: true });
    }
    const head = ["rooms", "ms in all", "rounds over 5 ms", "longest ms"];
    const verdict = slow <= 5 ? "no round over 5 ms" : `ROUNDS OVER 5 ms: the longest took ${slow.toFixed(1)} ms`;
    print("`sioctl room list`, rounds of the loop", head, rows, verdict);
}

async function main() {
    const options = parse({ quick: { type: "boolean", default: false }, cases: { type: "string" } }, usage);
    const names = namesOf(options.cases, growths, "case", usage);
    const dirs = workDirs();
    let failed = false;
    for (const name of names) {
        try {
            await growths[name](dirs, options);
        } catch (error) {
            failed = true;
            console.log(`${name} FAILED: ${error.message}\n`);
        }
    }
    await end(failed ? 1 : 0);
}

await main();
