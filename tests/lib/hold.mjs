// Connections that are opened and say nothing, until standard input ends. Prints `held N`, counting those that the
// server has not closed.
//
//   node hold.mjs --to PORT|PATH --count N
import net from "node:net";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({ options: { to: { type: "string" }, count: { type: "string" } } });
const count = Number(options.count);
const target = options.to.startsWith("/") ? { path: options.to } : { port: Number(options.to), host: "127.0.0.1" };
let settled = 0;
let open = 0;

function settle() {
    if (++settled === count) {
        console.log(`held ${open}`);
    }
}

for (let i = 0; i < count; i++) {
    const socket = net.connect(target, () => {
        open++;
        settle();
    });
    socket.on("error", () => socket.connecting && settle());
    socket.on("close", () => open--);
}
process.stdin.on("end", () => process.exit(0)).resume();
