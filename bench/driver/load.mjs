// One run of siod-load against a server that is up, and what the server says of itself.
import { join } from "node:path";

import { binaries, run } from "./servers.mjs";

async function text(stream) {
    let all = "";
    for await (const part of stream) {
        all += part;
    }
    return all;
}

// args: scenario and options of siod-load. Resolves to the object that it prints.
export async function load(server, args, { warmup, seconds }) {
    const common = {
        label: server.name,
        port: server.port,
        pid: server.pid,
        "jwt-key": join(server.dir, "jwt.key"),
        "app-secret": join(server.dir, "app.secret"),
        warmup,
        seconds,
    };
    const command = [...args, ...Object.entries(common).flatMap(([name, value]) => [`--${name}`, value])].map(String);
    const child = run("1", [join(binaries, "siod-load"), ...command], { log: null });
    const timer = setTimeout(() => child.kill("SIGKILL"), 200_000);
    const [out, said] = await Promise.all([text(child.stdout), text(child.stderr), child.ended]);
    clearTimeout(timer);
    if (!out) {
        throw new Error(said.trim() || "siod-load took too long");
    }
    return JSON.parse(out);
}

// Numbers on siod's /metrics: metric(name) → its value, NaN when there is none.
export async function readMetrics(server) {
    const page = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
    const rows = page.split("\n").map((line) => /^([^ #]+) ([0-9.]+)$/.exec(line)).filter(Boolean);
    const values = new Map(rows.map(([, name, value]) => [name, Number(value)]));
    return (name) => values.get(name) ?? NaN;
}
