// The servers that are measured, and how each is started on a free port in a directory of its own.
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const benchDir = join(dirname(fileURLToPath(import.meta.url)), "..");
const peersDir = join(benchDir, "peers");
export const binaries = process.env.SIOD_BIN ?? join(benchDir, "..", "build", "bin");

const npmBinary = (packageName, name) => join(peersDir, "node_modules", packageName, "bin", name);
export const node = npmBinary(`node-linux-${process.arch}`, "node");
export const bun = npmBinary(`@oven/bun-linux-${process.arch === "arm64" ? "aarch64" : process.arch}`, "bun");

const siod = (options) => ({
    command: (port, more) => [
        join(binaries, "siod"),
        ...["-c", join(benchDir, "siod.conf"), "-o", `http.listen=127.0.0.1:${port}`],
        ...[...options, ...more].flatMap((option) => ["-o", option]),
    ],
    database: true,
});

const peer = (runtime, script, settings = {}) => ({
    command: () => [runtime, join(peersDir, script)],
    environment: (port, dir) => ({
        PORT: String(port),
        JWT_KEY_FILE: join(dir, "jwt.key"),
        APP_SECRET_FILE: join(dir, "app.secret"),
        DATABASE: join(dir, "peer.db"),
        SYNCHRONOUS: "FULL",
        ...settings,
    }),
});

// group: the webhooks of a round share a transaction, which an application has to be written for.
const group = { GROUP_COMMIT: "1" };
export const servers = {
    siod: siod([]),
    "siod-normal": siod(["store.synchronous=NORMAL"]),
    ws: peer(node, "node_ws.mjs"),
    uws: peer(node, "node_uws.mjs"),
    bun: peer(bun, "bun.mjs"),
    "uws-group": peer(node, "node_uws.mjs", group),
    "bun-group": peer(bun, "bun.mjs", group),
    raw: { command: (port) => [join(binaries, "siod-raw"), String(port)] },
    "raw-sync": { command: (port) => [join(binaries, "siod-raw"), String(port), "journal"] },
};

function freePort() {
    return new Promise((resolve, reject) => {
        const server = createServer();
        server.on("error", reject).listen(0, "127.0.0.1", () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

const accepts = (port) =>
    new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1");
        socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
        socket.on("connect", () => socket.destroy());
    });

// Processes of this run that are alive. setpriv ends them also when this process is killed.
const running = new Set();

// cpus as taskset takes them; output goes to the file `log`, or comes back as text with log = null.
export function run(cpus, command, { log, ...options }) {
    const out = log === null ? "pipe" : openSync(log, "w");
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "taskset", "-c", cpus, ...command], {
        ...options,
        stdio: ["ignore", out, log === null ? "pipe" : out],
    });
    running.add(child);
    child.ended = new Promise((resolve) => {
        child.on("exit", (code, signal) => {
            running.delete(child);
            resolve(signal ?? code);
        });
        child.on("error", () => resolve(127));
    });
    return child;
}

// Ends this process and all that it started.
export async function end(code) {
    for (const child of running) {
        child.kill("SIGKILL");
    }
    await Promise.all([...running].map(({ ended }) => ended));
    process.exit(code);
}

// Directories of this run, gone when it ends: `state` is prepared for siod, `work` is for everything else. They are in
// the build and not in /tmp, which may be memory: an fsync must be one.
export function workDirs() {
    const base = join(binaries, "..", "bench");
    mkdirSync(base, { recursive: true });
    const work = mkdtempSync(join(base, "run-"));
    process.on("exit", () => rmSync(work, { recursive: true, force: true }));
    process.on("SIGINT", () => end(130)).on("SIGTERM", () => end(143));
    const state = join(work, "state");
    execFileSync(join(benchDir, "prepare.sh"), [state], { stdio: ["ignore", "ignore", "inherit"] });
    return { work, state };
}

// A fresh copy of the prepared state in `dir`, and the server in it; `options` are siod's. Throws with the server's words when it does not
// come up.
export async function start(name, stateDir, dir, cpus, options = []) {
    const server = servers[name];
    const port = await freePort();
    const log = join(dir, "server.log");
    mkdirSync(dir, { recursive: true });
    for (const file of ["jwt.key", "app.secret", "verify.token", ...(server.database ? ["siod.db"] : [])]) {
        copyFileSync(join(stateDir, file), join(dir, file));
    }
    const env = { ...process.env, ...server.environment?.(port, dir) };
    const child = run(cpus, server.command(port, options), { cwd: dir, env, log });
    const deadline = Date.now() + 20_000;
    while (!(await accepts(port))) {
        if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline) {
            child.kill("SIGKILL");
            throw new Error(`${name} does not start: ${existsSync(log) ? readFileSync(log, "utf8").slice(-500) : ""}`);
        }
        await sleep(20);
    }
    return { name, port, dir, child, pid: child.pid };
}

export async function stop({ child }) {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await child.ended;
    clearTimeout(timer);
}
