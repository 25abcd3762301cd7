// Signed webhooks as fast as they are taken, each with one text message of its own. Prints `STATUS WAMID` for each
// answer. A connection that fails ends its worker without a line: what was not answered was not acknowledged.
//
//   node flood.mjs --url URL --secret-file FILE [--count N] [--concurrency N] [--prefix TEXT] [--customers N]
//                  [--text-bytes N] [--phone ID] [--repeat] [--numbers FILE]
//
// --repeat sends every third one twice at the same time, and every fifth one with the one before it in one body.
// --numbers sends those in the file, one PREFIX.NUMBER a line.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
    options: {
        url: { type: "string" },
        "secret-file": { type: "string" },
        count: { type: "string", default: "100" },
        concurrency: { type: "string", default: "8" },
        prefix: { type: "string", default: "flood" },
        customers: { type: "string", default: "10" },
        "text-bytes": { type: "string", default: "20" },
        repeat: { type: "boolean", default: false },
        numbers: { type: "string" },
        phone: { type: "string", default: "106540352242922" },
    },
});
const secret = readFileSync(options["secret-file"], "utf8").replace(/\n$/, "");
const concurrency = Number(options.concurrency);
const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });
const text = "x".repeat(Number(options["text-bytes"]));
let next = 0;

function sender(number) {
    return String(15550000000 + (number % Number(options.customers)));
}

function body(...all) {
    const value = {
        messaging_product: "whatsapp",
        metadata: { display_phone_number: "15550783881", phone_number_id: options.phone },
        contacts: all.map(([, number]) => ({
            profile: { name: `Customer ${sender(number)}` },
            wa_id: sender(number),
        })),
        messages: all.map(([wamid, number]) => ({
            from: sender(number),
            id: wamid,
            timestamp: "1749416383",
            type: "text",
            text: { body: text },
        })),
    };
    return JSON.stringify({
        object: "whatsapp_business_account",
        entry: [{ id: "1", changes: [{ field: "messages", value }] }],
    });
}

function post(bytes) {
    const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(bytes),
        "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(bytes).digest("hex")}`,
    };
    return new Promise((resolve, reject) => {
        const request = http.request(`${options.url}/webhook`, { method: "POST", agent, headers }, (answer) => {
            answer.on("end", () => resolve(answer.statusCode)).on("error", reject).resume();
        });
        request.on("error", reject).end(bytes);
    });
}

const listed = options.numbers ? readFileSync(options.numbers, "utf8").split("\n").filter(Boolean) : null;
const count = listed ? listed.length : Number(options.count);

function message(number) {
    const name = listed ? listed[number] : `${options.prefix}.${number}`;
    return [`wamid.${name}`, Number(name.split(".").pop())];
}

async function work() {
    while (next < count) {
        const number = next++;
        const sent = [message(number)];
        if (options.repeat && number % 5 === 4) {
            sent.push(message(number - 1));
        }
        const bytes = body(...sent);
        const twice = options.repeat && number % 3 === 2 ? [post(bytes), post(bytes)] : [post(bytes)];
        for (const status of await Promise.all(twice)) {
            process.stdout.write(`${status} ${sent[0][0]}\n`);
        }
    }
}

await Promise.allSettled(Array.from({ length: concurrency }, work));
process.exit(0);
