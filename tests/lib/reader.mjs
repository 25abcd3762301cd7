// An agent that reads: of the messages that come in some are marked as read, and its status changes each time. Prints
// `read CHAT MESSAGE` and `status WORD` for what the server acknowledged, until the connection is lost.
//
//   node reader.mjs --url http://HOST:PORT --token JWT
import { io } from "socket.io-client";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({ options: { url: { type: "string" }, token: { type: "string" } } });
const socket = io(options.url, { auth: { token: options.token }, transports: ["websocket"], reconnection: false });
const words = ["busy", "away", "available"];
const PAUSE_MS = 50; // well below limits.events_per_s
let turn = 0;
let next = 0;

function changeStatus() {
    const word = words[turn++ % words.length];
    socket.emit("agent_status_update", word, (answer) => answer.ok && console.log(`status ${word}`));
}

socket.on("connect", () => {
    console.log("connected");
    changeStatus();
});
socket.on("whatsapp_message_received", ({ chatId, message }) => {
    if (Date.now() < next) {
        return;
    }
    next = Date.now() + PAUSE_MS;
    socket.emit("message_read", { chatId, messageId: message.id }, (answer) => {
        if (answer.ok) {
            console.log(`read ${chatId} ${message.id}`);
            changeStatus();
        }
    });
});
socket.on("connect_error", () => process.exit(0));
socket.on("disconnect", () => process.exit(0));
