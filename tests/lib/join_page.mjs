// A page that joins a chat with its history again and again while the customer writes. What it was told before the
// answer is in it, what it is told after the answer is not: prints how often that was not so.
//
//   node join_page.mjs --url URL --token JWT --secret-file FILE --phone-number-id ID --rounds N
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { io } from "socket.io-client";
import { newCustomer } from "./customer.mjs";

const { values: options } = parseArgs({
    options: {
        url: { type: "string" },
        token: { type: "string" },
        "secret-file": { type: "string" },
        "phone-number-id": { type: "string" },
        rounds: { type: "string" },
    },
});
const HISTORY = 200;
const writes = newCustomer(options.url, options["secret-file"], options["phone-number-id"]);
const page = io(options.url, { auth: { token: options.token }, transports: ["websocket"] });
const wrong = { missing: 0, repeated: 0 };
let told = new Set();

page.on("new_message", ({ message }) => told.add(message.id));

// The answer with the ids of what was told before it; told begins anew behind it.
function join(chatId) {
    return new Promise((resolve) =>
        page.emit("join_chat", chatId, { history: HISTORY }, ({ messages }) => {
            resolve({ messages, before: told });
            told = new Set();
        }),
    );
}

async function round(chatId, number) {
    await page.emitWithAck("leave_chat", chatId);
    told = new Set();
    const written = [1, 2, 3].map(async (n) => {
        await sleep(Math.random() * 4);
        await writes(`${number}.${n}`);
    });

    await sleep(Math.random() * 3);
    const { messages, before } = await join(chatId);

    await Promise.all(written);
    await page.emitWithAck("join_chat", chatId); // what was committed has been emitted
    const answered = new Set(messages.map((message) => message.id));
    wrong.missing += [...before].filter((id) => !answered.has(id)).length;
    wrong.repeated += [...told].filter((id) => answered.has(id)).length;
}

await once(page, "connect");
const [, [{ message }]] = await Promise.all([writes("first"), once(page, "whatsapp_message_received")]);

for (let n = 0; n < HISTORY; n++) {
    await writes(`past ${n}`);
}
for (let n = 0; n < Number(options.rounds); n++) {
    await round(message.chatId, n);
}
console.log(JSON.stringify(wrong));
page.disconnect();
