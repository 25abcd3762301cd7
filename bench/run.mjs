#!/usr/bin/env node
// Measures siod beside its peers: every round runs each case on each server in turn, the server pinned to core 0 and
// the generator to core 1, and the table shows the medians of the rounds. Results go line by line to a file while it
// runs; --record adds the tables to bench/RESULTS.md.
import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { cases } from "./driver/cases.mjs";
import { load, readMetrics } from "./driver/load.mjs";
import { machineFacts } from "./driver/machine.mjs";
import { namesOf, numberOf, parse } from "./driver/options.mjs";
import { Results, caseTable } from "./driver/report.mjs";
import { benchDir, binaries, end, servers, start, stop, workDirs } from "./driver/servers.mjs";
import { targetTable } from "./driver/targets.mjs";

const usage = `usage: ./dev bench [--quick] [--cases NAME,...] [--servers NAME,...] [--rounds N] [--seconds S]
                   [--warmup S] [--output FILE] [--record]

  --quick     one round of one second
  --record    add the tables, the machine and the date to bench/RESULTS.md
  --output    where the results go, one JSON object a line (build/bench/results.ndjson)

cases:   ${Object.keys(cases).join(" ")}
servers: ${Object.keys(servers).join(" ")}
`;

function readOptions() {
    const values = parse(
        {
            quick: { type: "boolean", default: false },
            record: { type: "boolean", default: false },
            cases: { type: "string" },
            servers: { type: "string" },
            rounds: { type: "string" },
            seconds: { type: "string" },
            warmup: { type: "string", default: "1" },
            output: { type: "string", default: join(binaries, "..", "bench", "results.ndjson") },
        },
        usage,
    );
    return {
        ...values,
        cases: namesOf(values.cases, cases, "case", usage),
        servers: namesOf(values.servers, servers, "server", usage),
        rounds: numberOf(values.rounds ?? (values.quick ? "1" : "3"), "rounds"),
        seconds: numberOf(values.seconds ?? (values.quick ? "1" : "1.5"), "seconds"),
        warmup: numberOf(values.warmup, "warmup"),
    };
}

// What is to be done, in order: interleaved, so that what the machine does meanwhile falls on all servers.
function planOf(options) {
    const plan = [];
    for (let round = 1; round <= options.rounds; round++) {
        for (const name of options.cases.filter((name) => round === 1 || !cases[name].once)) {
            for (const server of cases[name].servers.filter((server) => options.servers.includes(server))) {
                plan.push({ name, server, round });
            }
        }
    }
    return plan;
}

function minutesOf(plan, { warmup, seconds }) {
    const total = plan.reduce(
        (sum, { name }) => sum + cases[name].seconds + (cases[name].unmeasured ? 0 : warmup + seconds),
        0,
    );
    return (total / 60).toFixed(1);
}

// How many webhooks shared a transaction, by siod's own count.
async function groupsOf(server) {
    if (!server.name.startsWith("siod")) {
        return {};
    }
    const metric = await readMetrics(server);
    const webhooks = metric('siod_webhooks_total{result="accepted"}');
    return webhooks > 0 ? { webhooks_per_commit: webhooks / metric("siod_store_commits_total") } : {};
}

async function measure({ name, server: serverName, round }, options, dirs) {
    const dir = join(dirs.work, "server");
    const row = { case: name, round, server: serverName };
    let server;
    rmSync(dir, { recursive: true, force: true });
    try {
        server = await start(serverName, dirs.state, dir, cases[name].cpus ?? "0");
        Object.assign(row, await load(server, cases[name].load, options), await groupsOf(server));
    } catch (error) {
        row.failed = error.message;
    }
    if (server) {
        await stop(server);
    }
    return row;
}

function progress(done, plan, row) {
    const figures = row.failed ? `FAILED: ${row.failed}` : `${Math.round(row.per_s)}/s`;
    process.stderr.write(`[${done}/${plan.length}] round ${row.round} ${row.case} ${row.server}: ${figures}\n`);
}

function tables(results, options) {
    const blocks = options.cases.map((name) => caseTable(results, name, cases[name]));
    return [...blocks, targetTable(results, options.cases)].map((lines) => lines.join("\n")).join("\n\n");
}

function record(facts, output, { rounds, seconds }) {
    const today = new Date().toISOString().slice(0, 10);
    const list = facts.map(([what, fact]) => `* ${what}: ${fact}`).join("\n");
    const how = `Medians of ${rounds} rounds of ${seconds} s, server on core 0, generator on core 1.`;
    appendFileSync(join(benchDir, "RESULTS.md"), `\n## ${today}\n\n${list}\n\n${how}\n\n\`\`\`\n${output}\n\`\`\`\n`);
}

async function main() {
    const options = readOptions();
    const plan = planOf(options);
    const facts = machineFacts();
    const results = new Results();

    process.stderr.write(`bench: ${plan.length} measurements, about ${minutesOf(plan, options)} minutes\n`);
    const dirs = workDirs();
    rmSync(options.output, { force: true });
    for (const [done, item] of plan.entries()) {
        const row = await measure(item, options, dirs);
        results.add(row);
        appendFileSync(options.output, `${JSON.stringify(row)}\n`);
        progress(done + 1, plan, row);
    }
    const output = tables(results, options);
    console.log(`${output}\n\nall results: ${options.output}`);
    if (options.record) {
        record(facts, output, options);
    }
    await end(results.rows.some(({ failed }) => failed) ? 1 : 0);
}

await main();
