// Agents who lose their connections all the time, while customers write: what each of them received is whole, nothing
// of it came twice, and it came in order.
//
//   node recover.mjs --siod PATH --dir STATE --disconnects N [--restarts N] [--kills N] [--agents N] [--arg ARG]...
//
// Starts siod itself, on one port for its whole run, since it also restarts (SIGTERM) and kills (SIGKILL) it. Ends with
// one line of JSON that says how much there was of everything, or with what was wrong.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { io } from "socket.io-client";
import { newCustomer } from "./customer.mjs";

const { values: options } = parseArgs({
    options: {
        siod: { type: "string" },
        dir: { type: "string" },
        disconnects: { type: "string", default: "100" },
        restarts: { type: "string", default: "0" },
        kills: { type: "string", default: "0" },
        agents: { type: "string", default: "16" },
        arg: { type: "string", multiple: true, default: [] },
        deadline: { type: "string", default: "120" },
    },
});
const BUSINESS = 1;
const CUSTOMERS = 4;
const PHONE = "106540352242922";
const DEADLINE_MS = Number(options.deadline) * 1000;
// A client whose server dies while it changes from polling to WebSocket notices by its missing pings only.
const PING = ["-o", "engineio.ping_interval_ms=5000", "-o", "engineio.ping_timeout_ms=5000"];

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const random = (below) => Math.floor(Math.random() * below);

async function until(condition, what, step = () => sleep(5)) {
    const end = Date.now() + DEADLINE_MS;

    while (!condition()) {
        assert.ok(Date.now() < end, `not true in time: ${what()}`);
        await step();
    }
}

// ---- the daemon

let port = 0;
let daemon = null;
let ready = false;

async function start() {
    const args = ["--pdeathsig", "KILL", options.siod, "--dev", options.dir, "-o", `http.listen=127.0.0.1:${port}`];

    daemon = spawn("setpriv", [...args, ...PING, ...options.arg], { stdio: ["ignore", "ignore", "pipe"] });
    const output = await new Promise((resolve, reject) => {
        let text = "";

        daemon.stderr.setEncoding("utf8");
        daemon.stderr.on("data", (data) => {
            text += data;
            const line = text.match(/siod: ready on 127\.0\.0\.1:(\d+)/);

            if (line) {
                resolve(line[1]);
            }
            text = text.slice(-65536);
            if (/Sanitizer|runtime error:/.test(data)) {
                console.error(text);
            }
        });
        daemon.once("exit", (code) => reject(new Error(`siod ended with ${code}: ${text}`)));
    });

    port = Number(output);
    daemon.removeAllListeners("exit");
    ready = true;
}

async function stop(signal) {
    const ended = new Promise((resolve) => daemon.once("exit", (code) => resolve(code)));

    ready = false;
    daemon.kill(signal);
    const code = await ended;

    assert.ok(signal === "SIGKILL" || code === 0, `siod ended with ${code}`);
}

function token(claims) {
    const part = (object) => Buffer.from(JSON.stringify(object)).toString("base64url");
    const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ exp: Date.now() / 1000 + 3600, ...claims })}`;
    const key = readFileSync(`${options.dir}/jwt.key`, "utf8").trimEnd();

    return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
}

// ---- an agent

const counts = { disconnects: 0, recovered: 0, anew: 0, takeovers: 0, events: 0 };

class Agent {
    constructor(userId) {
        this.rooms = [];
        for (let chat = 1; chat <= CUSTOMERS; chat++) {
            if ((userId + chat) % 3 !== 0) {
                this.rooms.push(chat);
            }
        }
        this.texts = []; // ids of messages, as whatsapp_message_received has them
        this.chats = new Map(this.rooms.map((chat) => [chat, []]));
        this.notes = [];
        this.holes = 0; // connects that were not recovered
        this.ready = false;
        this.socket = io(`http://127.0.0.1:${port}`, {
            transports: [["websocket"], ["polling"], ["polling", "websocket"]][userId % 3],
            auth: { token: token({ userId, businessId: BUSINESS }) },
            reconnectionDelay: 10,
            reconnectionDelayMax: 60,
            timeout: 5000,
            forceNew: true,
        });
        this.socket.on("connect", () => this.connected());
        this.socket.on("connect_error", (error) => this.refused(error));
        this.socket.on("whatsapp_message_received", (event) => this.hear(this.texts, event.message.id));
        this.socket.on("new_message", (event) => this.hear(this.chats.get(event.message.chatId), event.message.id));
        this.socket.on("note", (number) => this.hear(this.notes, number));
    }

    refused(error) {
        if (error.data !== undefined) {
            console.error("refused", error.message, error.data);
            process.exit(1);
        }
    }

    hear(list, number) {
        counts.events++;
        if (list === undefined || (list.length > 0 && number <= list.at(-1))) {
            console.error(`agent heard ${number} behind ${list && list.slice(-5)}`);
            process.exit(1);
        }
        list.push(number);
    }

    async connected() {
        if (this.socket.recovered) {
            counts.recovered++;
            this.ready = true;
            return;
        }
        if (this.ready) {
            counts.anew++;
        }
        this.holes++;
        this.ready = false;
        for (const chat of this.rooms) {
            const answer = await this.socket.timeout(DEADLINE_MS).emitWithAck("join_chat", chat).catch(() => null);

            if (answer === null) {
                return; // the connection went meanwhile
            }
            assert.equal(answer.ok, true);
        }
        this.ready = true;
    }

    // The server is left to believe that it is still there, and what it sends is not read.
    abandon() {
        const engine = this.socket.io.engine;
        const ws = engine.transport?.ws;

        if (ws?._socket) {
            ws._socket.pause();
            ws.onmessage = ws.onclose = ws.onerror = () => {};
            ws.close = ws.send = () => {};
            counts.takeovers++;
            abandoned.push(ws);
        }
        engine._onClose("transport close");
    }

    cut() {
        const engine = this.socket.io.engine;

        // One that is upgrading, or has something to write, closes while events that have come are on their way to the socket;
        // the socket puts them aside then, and shows them as well as what is sent again.
        if (!engine || !this.socket.connected || engine.writeBuffer.length > 0 || engine.upgrading) {
            return;
        }
        counts.disconnects++;
        switch (random(3)) {
            case 0:
                this.abandon();
                break;
            case 1:
                if (engine.transport?.ws?._socket) {
                    engine.transport.ws._socket.destroy();
                    break;
                }
            // falls through
            default:
                engine.close();
        }
    }
}
const abandoned = [];

// ---- the run

const writers = [];
let writing = true;
let wanted = 0; // messages that siod has on disk
let noted = 0;

async function write(customer, name) {
    for (let n = 0; writing; n++) {
        const text = `${name} ${n}`;

        for (let sent = false; !sent; ) {
            try {
                await customer(text);
                sent = true;
                wanted++;
            } catch (error) {
                if (!writing) {
                    return;
                }
                await sleep(10); // the same again, as the platform does
            }
        }
        await sleep(random(30));
    }
}

// What is in no log: only what is sent between restarts is expected to arrive.
async function note(service) {
    while (writing) {
        const number = ++noted;

        try {
            await fetch(`http://127.0.0.1:${port}/api/emit`, {
                method: "POST",
                headers: { authorization: `Bearer ${service}`, "content-type": "application/json" },
                body: JSON.stringify({ event: "note", room: `business_${BUSINESS}`, payload: number }),
            });
        } catch {
            await sleep(10);
        }
        await sleep(random(20));
    }
}

function newCustomers() {
    return Array.from({ length: CUSTOMERS }, (_, n) =>
        newCustomer(() => `http://127.0.0.1:${port}`, `${options.dir}/app.secret`, PHONE, `4915000000${n}`),
    );
}

await start();
const customers = newCustomers();

for (const [n, customer] of customers.entries()) {
    await customer(`first ${n}`); // chats 1 to CUSTOMERS
    wanted++;
}
const agents = Array.from({ length: Number(options.agents) }, (_, n) => new Agent(n + 1));

await until(
    () => agents.every((agent) => agent.ready),
    () => "all agents joined",
);
for (const [n, customer] of customers.entries()) {
    writers.push(write(customer, `text ${n}`));
}
writers.push(note(token({ userId: 9999, businessId: BUSINESS, role: "service" })));

const total = Number(options.disconnects);
const ends = [
    ...Array(Number(options.restarts)).fill("SIGTERM"),
    ...Array(Number(options.kills)).fill("SIGKILL"),
].sort(() => Math.random() - 0.5);
const each = Math.floor(total / (ends.length + 1));

for (let target = each; ; target += each) {
    while (counts.disconnects < Math.min(target, total)) {
        agents[random(agents.length)].cut();
        await sleep(random(12));
    }
    const signal = ends.pop();

    if (signal === undefined) {
        break;
    }
    await stop(signal);
    await sleep(random(100));
    await start();
    await until(
        () => agents.every((agent) => agent.socket.connected && agent.ready),
        () => `all agents are back after ${signal}`,
    );
}
writing = false;
await Promise.all(writers);

// ---- what came

// Who begins anew hears of what comes from then on: one customer goes on until all of them have.
const last = (agent) => agent.texts.at(-1) ?? 0;
const heard = () => Math.max(...agents.map(last));
const isUpToDate = (agent) => agent.ready && agent.socket.connected && last(agent) === heard();
const allHeard = () => heard() >= wanted && agents.every(isUpToDate);

async function writeOn() {
    const patience = Date.now() + 500;

    await customers[0](`end ${wanted}`);
    wanted++;
    while (!allHeard() && Date.now() < patience) {
        await sleep(5);
    }
}

await until(allHeard, () => `each of ${wanted} messages is everywhere: ${agents.map(last)}`, writeOn);
const restarted = Number(options.restarts) + Number(options.kills) > 0;

for (const agent of agents) {
    const holes = agent.texts.filter((id, n) => n > 0 && id !== agent.texts[n - 1] + 1);

    assert.ok(holes.length < agent.holes, `an agent missed messages before ${holes}, with ${agent.holes} new sessions`);
    if (agent.holes === 1) {
        const texts = new Set(agent.texts);
        const chats = [...agent.chats.values()].flat();

        assert.ok(
            chats.every((id) => texts.has(id)),
            "a message came in its chat only",
        );
    }
    if (!restarted) {
        assert.equal(agent.holes, 1, "an agent had to begin anew");
        assert.equal(agent.notes.length, agent.notes.at(-1) - agent.notes[0] + 1, "an agent missed a note");
    }
}
if (!restarted) {
    for (const chat of agents[0].chats.keys()) {
        const lists = agents.filter((agent) => agent.chats.has(chat)).map((agent) => agent.chats.get(chat).join());

        assert.ok(
            lists.every((list) => list === lists[0]),
            `all members of chat ${chat} heard the same`,
        );
    }
}
for (const agent of agents) {
    agent.socket.disconnect();
}
for (const ws of abandoned) {
    ws._socket?.destroy();
}
await stop("SIGTERM");
console.log(JSON.stringify({ ...counts, messages: wanted, notes: noted }));
process.exit(0);
