// Opens idle agents, as little as a client can be: a TCP connection that has spoken the WebSocket handshake and the two
// packets of Engine.IO and Socket.IO. Prints what the daemon's resident memory grew by. Heartbeats are answered.
//
//   node idle.mjs --url URL --secret-file FILE --pid PID [--connections N] [--in-flight N]
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
    options: {
        url: { type: "string" },
        "secret-file": { type: "string" },
        pid: { type: "string" },
        connections: { type: "string", default: "5000" },
        "in-flight": { type: "string", default: "64" },
    },
});
const { hostname, port } = new URL(options.url);
const secret = readFileSync(options["secret-file"], "utf8").replace(/\n$/, "");
const total = Number(options.connections);
const sockets = [];

function token(userId) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const text = `${part({ alg: "HS256" })}.${part({ userId, businessId: 1 + (userId % 100) })}`;
    return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

// A masked text frame; the mask is zero, so that the payload can be written as it is.
function frame(text) {
    const payload = Buffer.from(text);
    const head =
        payload.length < 126
            ? Buffer.from([0x81, 0x80 | payload.length])
            : Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 255]);
    return Buffer.concat([head, Buffer.alloc(4), payload]);
}

function open(userId) {
    return new Promise((resolve, reject) => {
        const socket = connect(Number(port), hostname);
        let seen = "";
        socket.on("error", reject).on("close", () => reject(new Error("closed by siod")));
        socket.on("data", (bytes) => {
            const text = bytes.toString("latin1");
            if (seen !== null) {
                seen += text;
                if (seen.includes("40{")) {
                    seen = null;
                    resolve(socket);
                } else if (seen.includes('0{"sid"')) {
                    seen = "";
                    socket.write(frame(`40${JSON.stringify({ token: token(userId) })}`));
                }
            } else if (text === "\x81\x012") {
                socket.write(frame("3"));
            }
        });
        socket.write(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: siod\r\nConnection: Upgrade\r\n" +
                "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        );
    });
}

function residentKb() {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${options.pid}/status`, "utf8"))[1]);
}

async function worker(numbers) {
    for (let number = numbers.next(); !number.done; number = numbers.next()) {
        sockets.push(await open(number.value + 1));
    }
}

const before = residentKb();
const started = performance.now();
const numbers = Array(total).keys();
await Promise.all(Array.from({ length: Number(options["in-flight"]) }, () => worker(numbers)));
const seconds = (performance.now() - started) / 1000;
const kb = (residentKb() - before) / total;
console.log(`${total} idle connections: ${kb.toFixed(2)} KB each, ${Math.round(total / seconds)} connects/s`);
process.exit(0);
