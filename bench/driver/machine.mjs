// The machine and the versions that a measurement belongs to.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";

import { benchDir, binaries, bun, node } from "./servers.mjs";

function said(command, ...args) {
    try {
        return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
        return "unknown";
    }
}

function npmVersion(name) {
    const file = join(benchDir, "peers", "node_modules", name, "package.json");
    return existsSync(file) ? `${name} ${JSON.parse(readFileSync(file, "utf8")).version}` : `${name} missing`;
}

const debian = (name) => `${name} ${said("dpkg-query", "-W", "-f", "${Version}", name)}`;

// [what, text] pairs.
export function machineFacts() {
    const cpus = os.cpus();
    const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
    const commit = said("git", "-C", benchDir, "rev-parse", "--short", "HEAD");
    const runtimes = [`Node ${said(node, "--version")}`, `Bun ${said(bun, "--version")}`];
    const packages = ["socket.io", "ws", "bufferutil", "@btc-vision/uwebsockets.js", "@socket.io/bun-engine"];
    return [
        ["machine", `${cpus[0].model}, ${cpus.length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GiB`],
        ["system", `${/PRETTY_NAME="(.*)"/.exec(release)?.[1] ?? os.type()}, Linux ${os.release()}, ${os.arch()}`],
        ["siod", `${said(join(binaries, "siod"), "--version")}, ${commit}`],
        ["libraries", ["libwebsockets17", "libev4", "libsqlite3-0", "libssl3"].map(debian).join(", ")],
        ["peers", [...runtimes, ...packages.map(npmVersion)].join(", ")],
        ["load before", os.loadavg().map((load) => load.toFixed(2)).join(" ")],
    ];
}
