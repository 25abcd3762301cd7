// Sockets that leave, each in the way that has the name of a reason; prints {"reason":"socketId",…}.
//
//   node leave.mjs --url URL --token JWT
import { parseArgs } from "node:util";
import WebSocket from "ws";

const { values: options } = parseArgs({ options: { url: { type: "string" }, token: { type: "string" } } });
const connect = `40${JSON.stringify({ token: options.token })}`;

const ways = {
    "client namespace disconnect": (ws) => {
        ws.send("41");
        ws.once("pong", () => ws.close());
        ws.ping();
    },
    "transport close": (ws) => ws.terminate(),
    "transport error": (ws) => ws.send("2"), // only servers ping
    "ping timeout": () => {},
    "parse error": (ws) => ws.send("9"),
    "forced close": (ws) => ws.send("42{}"),
    "forced server close": (ws) => ws.send(connect), // it is connected
};

function leave(way) {
    const ws = new WebSocket(`${options.url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);

    return new Promise((resolve, reject) => {
        let id;

        ws.on("open", () => ws.send(connect));
        ws.on("message", (data) => {
            const text = data.toString();

            if (text.startsWith("40")) {
                id = JSON.parse(text.slice(2)).sid;
                way(ws);
            }
        });
        ws.on("close", () => resolve(id));
        ws.on("error", reject);
    });
}

const ids = await Promise.all(Object.entries(ways).map(async ([reason, way]) => [reason, await leave(way)]));

console.log(JSON.stringify(Object.fromEntries(ids)));
