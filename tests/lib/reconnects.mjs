// A client that leaves the namespace and joins it again between its events, faster than it may send
// any, until it is closed. Prints how many of its events and CONNECTs were answered (acked), and how
// many CONNECTs were refused as too many (limited).
//
//   node reconnects.mjs --url http://127.0.0.1:3000 --token JWT
import { parseArgs } from "node:util";
import WebSocket from "ws";

const { values: options } = parseArgs({ options: { url: { type: "string" }, token: { type: "string" } } });
const connect = "40" + JSON.stringify({ token: options.token });
const result = { acked: 0, limited: 0 };
const socket = new WebSocket(options.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket");

socket.on("open", () => {
    socket.send(connect);
    socket.send('421["typing_stop",{"chatId":1}]');
    for (let i = 0; i < 30; i++) {
        socket.send("41");
        socket.send(connect);
        socket.send('421["typing_stop",{"chatId":1}]');
    }
});
socket.on("message", (data) => {
    const text = data.toString();
    if (text.startsWith("44") && text.includes("rate_limited")) {
        result.limited++;
    } else if (text.startsWith("43") || text.startsWith("40")) {
        result.acked++;
    }
});
socket.on("close", () => console.log(JSON.stringify(result)));
