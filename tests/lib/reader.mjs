// An agent that reads: each message that comes in is marked as read, and its status changes all the time. Prints
// `read CHAT MESSAGE` and `status WORD` for what the server acknowledged, until the connection is lost.
//
//   node reader.mjs --url http://HOST:PORT --token JWT
import { io } from "socket.io-client";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({ options: { url: { type: "string" }, token: { type: "string" } } });
const socket = io(options.url, { auth: { token: options.token }, transports: ["websocket"], reconnection: false });
const words = ["busy", "away", "available"];
let turn = 0;

function changeStatus() {
    const word = words[turn++ % words.length];
    socket.emit("agent_status_update", word, (answer) => {
        if (answer.ok) {
            console.log(`status ${word}`);
        }
        changeStatus();
    });
}

socket.on("connect", () => {
    console.log("connected");
    changeStatus();
});
socket.on("whatsapp_message_received", ({ chatId, message }) => {
    socket.emit("message_read", { chatId, messageId: message.id }, (answer) => {
        if (answer.ok) {
            console.log(`read ${chatId} ${message.id}`);
        }
    });
});
socket.on("connect_error", () => process.exit(0));
socket.on("disconnect", () => process.exit(0));
