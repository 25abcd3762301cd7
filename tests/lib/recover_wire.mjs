// Recovery as it is on the wire, packet by packet.
//
//   node recover_wire.mjs SCENARIO --url URL --token JWT --service JWT [--other JWT] [--revoke COMMAND] [--freeze COMMAND --thaw COMMAND]
import assert from "node:assert/strict";
import { execSync } from "node:child_process";
import { parseArgs } from "node:util";
import WebSocket from "ws";

const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        url: { type: "string" },
        token: { type: "string" },
        service: { type: "string" },
        other: { type: "string" },
        revoke: { type: "string" },
        freeze: { type: "string" },
        thaw: { type: "string" },
    },
});
const OFFSET = /^~[-0-9A-Z_a-z]{33}$/;

class Client {
    packets = []; // of Socket.IO, that came
    #waiting = [];

    constructor(protocol = 4) {
        const query = protocol === 3 ? `EIO=3&token=${options.token}` : "EIO=4";

        this.ws = new WebSocket(`${options.url.replace("http", "ws")}/socket.io/?${query}&transport=websocket`);
        this.ws.on("message", (data) => {
            const text = data.toString();

            if (text === "2") {
                this.ws.send("3");
            } else if (text[0] === "4") {
                this.packets.push(text.slice(1));
                this.#wake();
            }
        });
        this.ws.on("close", () => {
            this.closed = true;
            this.#wake();
        });
        this.opened = new Promise((resolve, reject) => {
            this.ws.on("open", resolve);
            this.ws.on("error", reject);
        });
    }

    #wake() {
        for (const wake of this.#waiting.splice(0)) {
            wake();
        }
    }

    async until(condition, what) {
        const timer = setTimeout(() => assert.fail(`${what} did not come: ${this.packets}`), 20000);

        while (!condition()) {
            await new Promise((resolve) => this.#waiting.push(resolve));
        }
        clearTimeout(timer);
    }

    // The answer to a CONNECT with this.
    async connect(auth) {
        await this.opened;
        this.ws.send(`40${JSON.stringify(auth)}`);
        await this.until(() => this.packets.some((packet) => /^[04]/.test(packet)), "answer to CONNECT");
        const answer = this.packets.find((packet) => /^[04]/.test(packet));

        assert.equal(answer[0], "0", answer);
        return JSON.parse(answer.slice(1));
    }

    events(name) {
        return this.packets
            .filter((packet) => packet[0] === "2")
            .map((packet) => JSON.parse(packet.slice(1)))
            .filter((event) => event[0] === name);
    }

    async heard(name, count) {
        await this.until(() => this.events(name).length >= count, `${count} times ${name}`);
        return this.events(name);
    }

    async drop() {
        this.ws.terminate();
        await this.until(() => this.closed, "close");
    }

    async closes() {
        await this.until(() => this.closed, "close");
    }
}

async function emit(payload, event = "note") {
    const answer = await fetch(`${options.url}/api/emit`, {
        method: "POST",
        headers: { authorization: `Bearer ${options.service}`, "content-type": "application/json" },
        body: JSON.stringify({ event, room: "business_1", payload }),
    });

    assert.equal(answer.ok, true);
}

const { token } = options;

async function begin(auth = { token }) {
    const client = new Client();
    const first = await client.connect(auth);

    return { client, first };
}

// One that has heard a note and is gone.
async function gone() {
    const { client, first } = await begin();

    await emit("heard");
    const [[, , offset]] = await client.heard("note", 1);

    await client.drop();
    return { ...first, offset };
}

async function comesBack(session, auth = {}) {
    const client = new Client();
    const answer = await client.connect({ pid: session.pid, offset: session.offset, token, ...auth });

    return { client, answer, recovered: answer.pid === session.pid && answer.sid === session.sid };
}

const scenarios = {
    async restored() {
        const session = await gone();

        assert.match(session.offset, OFFSET);
        assert.match(session.sid, /^[-\w]{20}$/);
        await emit("missed 1");
        await emit("missed 2");
        const { client, recovered } = await comesBack(session);

        assert.equal(recovered, true);
        assert.deepEqual(
            client.packets.map((packet) => packet[0]),
            ["2", "2", "0"],
        );
        const notes = await client.heard("note", 2);

        assert.deepEqual(
            notes.map((note) => note[1]),
            ["missed 1", "missed 2"],
        );
        assert.ok(session.offset < notes[0][2] && notes[0][2] < notes[1][2]);
        await emit("live");
        await client.heard("note", 3);

        // The same again while it is connected takes over: one socket, and what it says it has not heard.
        const again = await comesBack(session);

        assert.equal(again.recovered, true);
        await client.closes();
        assert.deepEqual(
            (await again.client.heard("note", 3)).map((note) => note[1]),
            ["missed 1", "missed 2", "live"],
        );
        // Without an offset it goes on where the session began.
        await again.client.drop();
        const anew = await comesBack({ ...session, offset: undefined });

        assert.equal(anew.recovered, true);
        assert.equal((await anew.client.heard("note", 4)).length, 4);
        // Much that was missed comes behind the CONNECT.
        await anew.client.drop();
        for (let i = 0; i < 20; i++) {
            await emit("x".repeat(100));
        }
        const last = anew.client.events("note").at(-1)[2];
        const much = await comesBack({ ...session, offset: last });

        assert.equal(much.recovered, true);
        assert.equal(much.client.packets[0][0], "0");
        assert.equal((await much.client.heard("note", 20)).length, 20);
        // A client that leaves for good does not come back.
        much.client.ws.send("41");
        await much.client.drop();
        assert.equal((await comesBack(session)).recovered, false);
    },

    async other_owner() {
        const session = await gone();

        await emit("secret");
        const thief = await comesBack(session, { token: options.other });

        assert.equal(thief.recovered, false);
        assert.notEqual(thief.answer.pid, session.pid);
        assert.deepEqual(thief.client.events("note"), []);
        const owner = await comesBack(session);

        assert.equal(owner.recovered, true);
        await owner.client.heard("note", 1);
    },

    async unknown_offset() {
        for (const offset of ["not ours", "", "~".padEnd(34, "z"), `~${"0".repeat(33)}`]) {
            const session = await gone();

            assert.equal((await comesBack({ ...session, offset })).recovered, false, offset);
            assert.equal((await comesBack(session)).recovered, false, "it was given up");
        }
        const session = await gone();
        const ahead = session.offset.slice(0, -1) + "z";

        assert.equal((await comesBack({ ...session, offset: ahead })).recovered, false);
        for (const pid of ["", "x", session.sid, session.pid.slice(0, -1), `${session.pid}x`, session.sid.repeat(2)]) {
            assert.equal((await comesBack({ ...(await gone()), pid })).answer.pid === pid, false);
        }
        for (const auth of [{ pid: 1 }, { pid: null }, { pid: {} }, { offset: 7 }, { offset: ["x"] }]) {
            await comesBack(await gone(), auth); // whatever comes of it, there is an answer
        }
    },

    async overflow() {
        const session = await gone();

        for (let i = 0; i < 100; i++) {
            await emit("y".repeat(100));
        }
        assert.equal((await comesBack(session)).recovered, false);
    },

    async revoked() {
        const session = await gone();

        execSync(options.revoke, { stdio: "ignore" });
        const client = new Client();

        await client.opened;
        client.ws.send(`40${JSON.stringify({ ...session, token })}`);
        await client.until(() => client.packets.length > 0, "answer");
        assert.match(client.packets[0], /^4\{.*token_revoked/);
    },

    async late_ack() {
        const { client, first } = await begin();

        await emit("heard");
        const [[, , offset]] = await client.heard("note", 1);

        execSync(options.freeze);
        client.ws.send('427["agent_status_update","busy"]');
        const again = await comesBack({ ...first, offset });

        assert.equal(again.recovered, true);
        await client.closes();
        again.client.ws.send('428["agent_status_update","away"]');
        execSync(options.thaw);
        await again.client.until(() => again.client.packets.some((packet) => packet.startsWith("38")), "ack");
        assert.deepEqual(again.client.packets.filter((packet) => packet.startsWith("37")), []);
    },

    async off() {
        const { client, first } = await begin({ token, pid: "x".repeat(31), offset: "y" });

        assert.deepEqual(Object.keys(first), ["sid"]);
        await emit("plain");
        assert.deepEqual(await client.heard("note", 1), [["note", "plain"]]);
    },

    async old_client() {
        const { client } = await begin();
        const old = new Client(3);

        await old.opened;
        await old.until(() => old.packets.length > 0, "CONNECT");
        assert.equal(old.packets[0], "0");
        await emit("for both");
        assert.deepEqual(await old.heard("note", 1), [["note", "for both"]]);
        assert.equal((await client.heard("note", 1))[0].length, 3);
    },

    async expired() {
        const session = await gone();
        const end = Date.now() + 1100;

        while (Date.now() < end) {
            await new Promise((resolve) => setTimeout(resolve, end - Date.now()));
        }
        assert.equal((await comesBack(session)).recovered, false);
    },
};

await scenarios[positionals[0]]();
process.exit(0);
