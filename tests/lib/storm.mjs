// Clients that all come at once, as after a restart of the server: each asks for a WebSocket session until it has one,
// and comes back after what Retry-After says, or a little more. They hold their sessions until standard input ends and
// answer pings. Prints a line of JSON when all have come, and one when the last of them was told to go:
//
//   {"connected": N, "refused": N, "advised": N}    refused = answers 503, advised = those with Retry-After
//   {"told": N, "instants": N, "first_50_ms": N}    instants = 10 ms intervals in which somebody was told
//
//   node storm.mjs --port PORT --count N [--haste FACTOR]
import net from "node:net";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
    options: { port: { type: "string" }, count: { type: "string" }, haste: { type: "string", default: "1" } },
});
const count = Number(options.count);
const request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" +
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const ping = Buffer.from([0x81, 1, 50]);
const pong = Buffer.from([0x81, 0x81, 0, 0, 0, 0, 51]);
const told = [];
let connected = 0;
let refused = 0;
let advised = 0;

function tell() {
    told.push(Date.now());
    if (told.length === count) {
        const instants = new Set(told.map((ms) => Math.floor(ms / 10)));
        const early = told.filter((ms) => ms < told[0] + 50).length;
        console.log(JSON.stringify({ told: told.length, instants: instants.size, first_50_ms: early }));
    }
}

function serve(socket, data) {
    if (data.equals(ping)) {
        socket.write(pong);
    } else if (data.includes(Buffer.from([0x88, 0]))) {
        socket.removeAllListeners("data");
        socket.end();
        tell();
    }
}

function come() {
    let head = "";
    let again = 1000;
    const socket = net.connect(Number(options.port), "127.0.0.1", () => socket.write(request));
    const answered = (data) => {
        head += data.toString("latin1");
        if (head.startsWith("HTTP/1.1 101") && head.includes("maxPayload")) {
            socket.off("data", answered).off("close", retry);
            socket.on("data", (more) => serve(socket, more));
            if (++connected === count) {
                console.log(JSON.stringify({ connected, refused, advised }));
            }
        } else if (head.startsWith("HTTP/1.1 503") && head.includes("\r\n\r\n")) {
            refused++;
            const seconds = Number(/retry-after: (\d+)/i.exec(head)?.[1] ?? 0);
            advised += seconds > 0 ? 1 : 0;
            again = seconds * 1000;
            socket.destroy();
        }
    };
    const retry = () => setTimeout(come, (again * (1 + Math.random())) / Number(options.haste));
    socket.on("data", answered).on("close", retry).on("error", () => {});
}

for (let i = 0; i < count; i++) {
    come();
}
process.stdin.on("end", () => process.exit(0)).resume();
