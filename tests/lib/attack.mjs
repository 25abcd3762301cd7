// What a hostile client may send (protocol facts and CVEs of other servers), on raw sockets against a server that
// echoes (conformance_server). For each attack: the answer that was decided, the next client is served as ever, and at
// the end no descriptor is left open and memory is within its bound.
//
//   node attack.mjs --port PORT --pid PID [--rss-kib N] [--left-kib N] [--only TEXT] [--deadline-s N]
//
// Prints a line for each attack; the exit status is 1 if one was answered otherwise.
import { readFileSync, readdirSync } from "node:fs";
import net from "node:net";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
    options: {
        port: { type: "string" },
        pid: { type: "string" },
        "rss-kib": { type: "string", default: "0" },
        "left-kib": { type: "string", default: "0" },
        only: { type: "string", default: "" },
        "deadline-s": { type: "string", default: "60" },
    },
});
const DEADLINE_MS = 1000 * Number(options["deadline-s"]);
const MIB = 1 << 20;
const V4 = "/socket.io/?EIO=4&transport=polling";
const KEY = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

class Peer {
    received = Buffer.alloc(0);
    ended = false;
    #waiting = [];

    constructor() {
        this.socket = net.connect({ port: Number(options.port), host: "127.0.0.1", noDelay: true });
        this.socket.on("data", (data) => {
            this.received = Buffer.concat([this.received, data]);
            this.#wake();
        });
        this.socket.on("error", () => {});
        this.socket.on("close", () => {
            this.ended = true;
            this.#wake();
        });
    }

    #wake() {
        for (const wake of this.#waiting.splice(0)) {
            wake();
        }
    }

    // Resolves when the kernel has it, or the connection is gone.
    send(data) {
        return new Promise((resolve) => {
            this.socket.once("close", resolve);
            this.socket.write(data, () => {
                this.socket.off("close", resolve);
                resolve();
            });
        });
    }

    async until(condition) {
        const end = Date.now() + DEADLINE_MS;
        while (!condition() && !this.ended) {
            const timer = setTimeout(() => this.#wake(), DEADLINE_MS);
            await new Promise((resolve) => this.#waiting.push(resolve));
            clearTimeout(timer);
            if (Date.now() > end) {
                throw new Error(`nothing within ${DEADLINE_MS} ms`);
            }
        }
    }

    // The status of the next HTTP answer, 0 when the connection ended without one.
    async answer() {
        await this.until(() => this.received.includes("\r\n\r\n"));
        const head = this.received.indexOf("\r\n\r\n");
        if (head < 0) {
            return { status: 0, body: "" };
        }
        const text = this.received.subarray(0, head).toString("latin1");
        const length = Number(/^content-length: (\d+)/im.exec(text)?.[1] ?? 0);
        await this.until(() => this.received.length >= head + 4 + length);
        const body = this.received.subarray(head + 4, head + 4 + length).toString();
        this.received = this.received.subarray(head + 4 + length);
        return { status: Number(text.slice(9, 12)), body, head: text };
    }

    // The next WebSocket frame; undefined at the end of the connection.
    async frame() {
        const size = () => {
            const short = this.received[1] & 127;
            return short === 126 ? 4 + this.received.readUInt16BE(2)
                : short === 127 ? 10 + Number(this.received.readBigUInt64BE(2)) : 2 + short;
        };
        await this.until(() => this.received.length >= 10 || (this.received.length >= 2 && (this.received[1] & 127) < 126));
        if (this.received.length < 2) {
            return undefined;
        }
        await this.until(() => this.received.length >= size());
        const short = this.received[1] & 127;
        const payload = this.received.subarray(short === 126 ? 4 : short === 127 ? 10 : 2, size());
        const frame = { opcode: this.received[0] & 15, payload };
        this.received = this.received.subarray(size());
        return frame;
    }

    // The code of the close frame: 1005 = it had none, 1006 = there was none. What comes before it is skipped.
    async closeCode() {
        for (;;) {
            const frame = await this.frame();
            if (frame === undefined || frame.opcode === 8) {
                return frame === undefined ? 1006 : frame.payload.length > 1 ? frame.payload.readUInt16BE(0) : 1005;
            }
        }
    }

    // The next text that is no ping.
    async text() {
        for (;;) {
            const frame = await this.frame();
            if (frame === undefined || frame.opcode === 8) {
                return "closed";
            }
            if (frame.payload.toString() !== "2") {
                return frame.payload.toString();
            }
        }
    }

    close() {
        this.socket.destroy();
    }
}

const peers = [];

function connect() {
    const peer = new Peer();
    peers.push(peer);
    return peer;
}

async function exchange(request) {
    const peer = connect();
    await peer.send(request);
    return peer.answer();
}

const request = (method, target, headers = "", body = "") =>
    `${method} ${target} HTTP/1.1\r\nHost: x\r\n${headers}` +
    (method === "POST" ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : "") + `\r\n${body}`;
const get = (target, headers) => exchange(request("GET", target, headers));
const post = (target, body, headers) => exchange(request("POST", target, headers, body));

async function open(target = V4) {
    const { body } = await get(target);
    return `${target}&sid=${/"sid":"([^"]*)"/.exec(body)[1]}`;
}

// The first byte, and the payload masked with zeros; `announced` may lie about its length.
function frame(first, payload = "", announced = Buffer.byteLength(payload)) {
    const length = announced < 126 ? [0x80 | announced] : [0x80 | 126, announced >> 8, announced & 255];
    const header = announced < 65536 ? Buffer.from([first, ...length]) : Buffer.alloc(10);
    if (announced >= 65536) {
        header[0] = first;
        header[1] = 0xff;
        header.writeBigUInt64BE(BigInt(announced), 2);
    }
    return Buffer.concat([header, Buffer.alloc(4), Buffer.from(payload)]);
}

const upgrade = (headers = "", query = "EIO=4&transport=websocket") =>
    request("GET", `/socket.io/?${query}`, KEY + headers);

// A WebSocket whose open packet was read; with `behind` in the segment of the request.
async function websocket(behind = Buffer.alloc(0)) {
    const peer = connect();
    await peer.send(Buffer.concat([Buffer.from(upgrade()), behind]));
    const { status } = await peer.answer();
    if (status !== 101) {
        throw new Error(`no WebSocket: ${status}`);
    }
    return peer;
}

async function joined() {
    const peer = await websocket();
    await peer.send(frame(0x81, "40"));
    for (let text = ""; !text.startsWith('42["auth"'); ) {
        text = await peer.text();
    }
    return peer;
}

// How a connection that joined ends when it says this.
async function ends(...packets) {
    const peer = await joined();
    for (const packet of packets) {
        await peer.send(typeof packet === "string" ? frame(0x81, packet) : frame(0x82, packet));
    }
    return peer.closeCode();
}

const attacks = [];

// `expected`: the value that `run` returns, or a list of those that are right.
function attack(name, expected, run) {
    attacks.push({ name, expected: [expected].flat(), run });
}

// ---- HTTP

attack("a POST of 100 MB is 413 at its head", 413, async () => {
    const peer = connect();
    await peer.send(`POST ${await open()} HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n`);
    return (await peer.answer()).status;
});
attack("a POST of 100 MB without a length is 413 when it has grown too large", 413, async () => {
    const peer = connect();
    await peer.send(`POST ${await open()} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`);
    for (let i = 0; i < 100 && !peer.ended && peer.received.length === 0; i++) {
        await peer.send(Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(MIB, 52), Buffer.from("\r\n")]));
    }
    return (await peer.answer()).status;
});
attack("a body in pieces of one byte is a body", 200, async () => {
    const peer = connect();
    await peer.send(`POST ${await open()} HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n`);
    for (const c of "40\x1e42[\"m\"]\x1e") {
        await peer.send(c);
    }
    return (await peer.answer()).status === 0 ? 0 : 200;
});
for (const [what, expected, text] of [
    ["Content-Length with Transfer-Encoding", 400, `POST ${V4} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ["two lengths", 400, `POST ${V4} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n`],
    ["a length of -1", 400, `POST ${V4} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n`],
    ["a length beyond 64 bits", [400, 413], `POST ${V4} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n`],
    ["an absolute form of the target", 200, `GET http://x${V4} HTTP/1.1\r\nHost: x\r\n\r\n`],
    ["a sid of 10 KB", 400, request("GET", `${V4}&sid=${"x".repeat(10000)}`)],
    ["a sid with %00", 400, request("GET", `${V4}&sid=%00`)],
    ["JSONP", 200, request("GET", `${V4}&j=1`)],
    ["PUT", 400, request("PUT", V4)],
    ["an octet of NUL in the head", 400, `GET ${V4} HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n`],
    ["a header line of 128 KB", 431, request("GET", V4, `X: ${"x".repeat(131072)}\r\n`)],
    ["2,500 headers on an upgrade", 431, upgrade("A: b\r\n".repeat(2500))],
    ["100 KB of blanks and commas in Sec-WebSocket-Protocol", [400, 431], upgrade(`Sec-WebSocket-Protocol: ${" ,".repeat(51200)}\r\n`)],
    ["8 KB of blanks and commas in Sec-WebSocket-Protocol", 400, upgrade(`Sec-WebSocket-Protocol: ${" ,".repeat(4096)}\r\n`)],
    ["8 KB of nonsense in Sec-WebSocket-Extensions", 101, upgrade(`Sec-WebSocket-Extensions: ${";, =".repeat(2048)}\r\n`)],
    ...["polling", "__proto__", "constructor", "", "%00", "webtransport", "websocket&transport=polling"].map((value) =>
        [`an upgrade with the transport "${value}"`, 400, upgrade("", `EIO=4&transport=${value}`)]),
    ["an upgrade over HTTP/1.0", 400, upgrade().replace("HTTP/1.1", "HTTP/1.0")],
    ["a TLS handshake", 400, Buffer.from("16030100fa010000f60303" + "00".repeat(200), "hex")],
    ["nothing but newlines, then a request", 200, `${"\r\n".repeat(1000)}${request("GET", V4)}`],
]) {
    attack(`${what} is ${expected}`, expected, async () => (await exchange(text)).status);
}
attack("a GET with a body is answered, and so is the request behind it", "200 200", async () => {
    const peer = connect();
    await peer.send(`GET ${V4} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc${request("GET", V4)}`);
    return `${(await peer.answer()).status} ${(await peer.answer()).status}`;
});
attack("a thousand pipelined requests are answered", 1000, async () => {
    const peer = connect();
    let answered = 0;
    await peer.send(request("GET", `${V4}&sid=x`).repeat(1000));
    while ((await peer.answer()).status === 400) {
        answered++;
        if (answered === 1000) {
            break;
        }
    }
    return answered;
});
attack("Expect: 100-continue without a body holds nothing up", 200, async () => {
    const peer = connect();
    await peer.send(`POST ${await open()} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
    return (await peer.answer()).status === 100 && (await peer.send("40"), (await peer.answer()).status);
});
attack("a rejected upgrade that is reset at once harms nobody", 200, async () => {
    for (let i = 0; i < 200; i++) {
        const peer = connect();
        peer.socket.write(upgrade("", "EIO=4&transport=polling"));
        await new Promise((resolve) => peer.socket.once("connect", resolve));
        peer.socket.resetAndDestroy();
    }
    return (await get(V4)).status;
});

// ---- Engine.IO over polling

attack("an octet-stream on v4 whose body never comes ends the session", "400 400", async () => {
    const target = await open();
    const peer = connect();
    await peer.send(`POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 9\r\n\r\n`);
    return `${(await peer.answer()).status} ${(await get(target)).status}`;
});
for (const [what, body, headers] of [
    ["a million separators", "\x1e".repeat(999999)],
    ["a megabyte that is no base64", `b${"!".repeat(999998)}`],
    ["a type that there is not", "9"],
    ["bytes that are no UTF-8", Buffer.from([52, 50, 0xff])],
    ["a gzip body", Buffer.from("1f8b08000000000000034b31010000", "hex"), "Content-Encoding: gzip\r\n"],
]) {
    attack(`${what} ends the session`, "400 400", async () => {
        const target = await open();
        const peer = connect();
        await peer.send(`POST ${target} HTTP/1.1\r\nHost: x\r\n${headers ?? ""}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`);
        await peer.send(body);
        return `${(await peer.answer()).status} ${(await get(target)).status}`;
    });
}
for (const [what, body, type] of [
    ["length digits that never end", Buffer.concat([Buffer.from([0]), Buffer.alloc(100000, 9)]), "application/octet-stream"],
    ["a length beyond the body", Buffer.from([0, 9, 9, 9, 0xff, 52]), "application/octet-stream"],
    ["a length in text beyond the body", "999999:4", "text/plain"],
    ["a negative length in text", "-1:4", "text/plain"],
    ["a length of a hundred thousand digits", `${"9".repeat(100000)}:4`, "text/plain"],
    ["a JSONP body without d=", "x=1", "application/x-www-form-urlencoded"],
]) {
    attack(`protocol 3: ${what} ends the session`, "400 400", async () => {
        const target = await open("/socket.io/?EIO=3&transport=polling");
        const peer = connect();
        await peer.send(`POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`);
        await peer.send(body);
        return `${(await peer.answer()).status} ${(await get(target)).status}`;
    });
}
attack("another protocol on a session is refused", "400 400", async () => {
    const target = await open();
    const other = await get(target.replace("EIO=4", "EIO=3"));
    const v3 = await open("/socket.io/?EIO=3&transport=polling");
    return `${other.status} ${(await get(v3.replace("EIO=3", "EIO=4"))).status}`;
});

// ---- WebSocket

for (let first = 0x80; first <= 0xff; first++) {
    const opcode = first & 15;
    const rsv = first & 0x70;
    if (rsv === 0 && [1, 2, 8, 9, 10].includes(opcode)) {
        continue;
    }
    for (const together of [false, true]) {
        const where = together ? "in the segment of the request" : "right after the upgrade";
        attack(`a frame that starts with 0x${first.toString(16)} ${where} is 1002`, 1002, async () => {
            const bad = frame(first, "x");
            const peer = await websocket(together ? bad : undefined);
            if (!together) {
                await peer.send(bad);
            }
            return peer.closeCode();
        });
    }
}
for (const [what, code, bytes] of [
    ["a frame without a mask", 1002, Buffer.from("810141", "hex")],
    ["a length of 2^63-1", 1009, Buffer.from("82ff7fffffffffffffff00000000", "hex")],
    ["a length of 2^64-1", [1002, 1009], Buffer.from("82ffffffffffffffffff00000000", "hex")],
    ["a control frame of 126 bytes", 1002, frame(0x89, "x".repeat(126))],
    ["a control frame in fragments", 1002, frame(0x09, "x")],
    ["a close frame of one byte", 1002, frame(0x88, "x")],
    ["a close frame with a reserved code", 1002, frame(0x88, Buffer.from([3, 0xed]))],
    ["a text that is no UTF-8", 1007, frame(0x81, Buffer.from([52, 0xff]))],
    ["a megabyte and a byte", 1009, frame(0x82, Buffer.alloc(MIB + 1))],
]) {
    attack(`${what} is ${code}`, code, async () => {
        const peer = await websocket();
        await peer.send(bytes);
        return peer.closeCode();
    });
}
attack("fragments of one byte without end are 1009", 1009, async () => {
    const peer = await websocket();
    const many = Buffer.concat(Array(20000).fill(frame(0x00, "x")));
    await peer.send(frame(0x02, "x"));
    for (let i = 0; i < 100 && !peer.ended; i++) {
        await peer.send(many);
    }
    return peer.closeCode();
});
attack("empty fragments without end are 1009", 1009, async () => {
    const peer = await websocket();
    const many = Buffer.concat(Array(20000).fill(frame(0x00)));
    await peer.send(frame(0x02));
    for (let i = 0; i < 100 && !peer.ended; i++) {
        await peer.send(many);
    }
    return peer.closeCode();
});
attack("a message in segments of one byte is a message", '42["message-back","x"]', async () => {
    const peer = await joined();
    for (const byte of frame(0x81, '42["message","x"]')) {
        await peer.send(Buffer.from([byte]));
    }
    return peer.text();
});
attack("a million pings of a client that does not read are bounded", 200, async () => {
    const peer = await joined();
    const pings = Buffer.concat(Array(10000).fill(frame(0x89, "x".repeat(125))));
    peer.socket.pause();
    for (let i = 0; i < 20; i++) {
        peer.socket.write(pings);
    }
    const { status } = await get(V4);
    peer.close();
    return status;
});

// ---- Socket.IO

for (const num of ['"splice"', "-1", "5", "1e99", "null", "{}", "0.5", "true"]) {
    attack(`a placeholder with num ${num} ends the connection`, 1005, () =>
        ends(`451-["message",{"_placeholder":true,"num":${num}}]`, Buffer.from([1])));
}
for (const [what, ...packets] of [
    ["an event name that is an object", '42[{"toString":"x"}]'],
    ["an event name that is an array", '42[["a"]]'],
    ["an event without a name", "42[]"],
    ["an event of null", "42[null]"],
    ['the event "connect"', '42["connect"]'],
    ["4599999999 attachments", "4599999999-[]"],
    ["1832742252 attachments", "451832742252-[]"],
    ["11 attachments", "4511-[]"],
    ["ten attachments that are together too large", '4510-["message"]', Buffer.alloc(600000), Buffer.alloc(600000)],
    ["binary that nobody announced", Buffer.from([1])],
    ["a namespace of 900 KB", `42/${"n".repeat(900000)},["m"]`],
    ["an ack id of 900 KB", `42${"1".repeat(900000)}["m"]`],
    ["a count of 900 KB", `45${"1".repeat(900000)}-["m"]`],
    ["JSON nested 400,000 deep", `42["m",${"[".repeat(400000)}`],
    ["a packet of a type that there is not", "47"],
    ["a CONNECT_ERROR", '44{"message":"x"}'],
    ["a second CONNECT", "40"],
    ["text between attachments", '452-["m",{"_placeholder":true,"num":0}]', "41"],
]) {
    attack(`${what} ends the connection`, 1005, () => ends(...packets));
}
attack("half a binary packet, then a new connection: nothing of it is left", '42["message-back","y"]', async () => {
    await ends('452-["message",{"_placeholder":true,"num":0}]', Buffer.from([1]), "41");
    const peer = await joined();
    await peer.send(frame(0x81, '42["message","y"]'));
    return peer.text();
});
for (const name of ["error", "__proto__", "constructor", "toString", "ping", "\\u0000", "drain"]) {
    attack(`the event "${name}" is one like others`, '42["message-back","z"]', async () => {
        const peer = await joined();
        await peer.send(frame(0x81, `42["${name}",{}]`));
        await peer.send(frame(0x81, '42["message","z"]'));
        return peer.text();
    });
}
attack("a text that looks like a placeholder is no attachment", '42["message-back",{"_placeholder":true,"num":0}]', async () => {
    const peer = await joined();
    await peer.send(frame(0x81, '42["message",{"_placeholder":true,"num":0}]'));
    return peer.text();
});
attack("ten thousand namespaces are refused, each for itself", '44/n9999,{"message":"Invalid namespace"}', async () => {
    const peer = await joined();
    let last;
    for (let i = 0; i < 10000; i += 100) {
        await peer.send(Buffer.concat(Array.from({ length: 100 }, (_, n) => frame(0x81, `40/n${i + n},`))));
        for (let n = 0; n < 100; n++) {
            last = await peer.text();
        }
    }
    return last;
});

// ---- what breaks other servers in practice

attack("without CORS a foreign origin is served and not named", "200 false", async () => {
    const { status, head } = await get(V4, "Origin: https://evil.example\r\n");
    return `${status} ${/access-control/i.test(head)}`;
});
attack("an upgrade with another protocol than the session's is refused", "400 400", async () => {
    const sid = (await open()).split("sid=")[1];
    const other = await exchange(upgrade("", `EIO=3&transport=websocket&sid=${sid}`));
    const v3 = (await open("/socket.io/?EIO=3&transport=polling")).split("sid=")[1];
    return `${other.status} ${(await exchange(upgrade("", `EIO=4&transport=websocket&sid=${v3}`))).status}`;
});
attack("an upgrade whose Upgrade header a proxy dropped is no poll", '400 {"code":3,"message":"Bad request"} 200', async () => {
    const target = await open();
    const { status, body } = await get(target.replace("polling", "websocket"));
    return `${status} ${body} ${(await post(target, "40")).status}`;
});
attack("a probe that is never finished leaves polling as it was", "6 ok true", async () => {
    const target = await open();
    const peer = connect();
    await peer.send(Buffer.concat([Buffer.from(upgrade("", `EIO=4&transport=websocket&sid=${target.split("sid=")[1]}`)), frame(0x81, "2probe")]));
    await peer.answer();
    await peer.text();
    const noop = (await get(target)).body;
    const posted = (await post(target, "40")).body;
    return `${noop} ${posted} ${(await get(target)).body.startsWith("40{")}`;
});
attack("a poll brings sixteen packets and no more", "16 4", async () => {
    const target = await open("/engine.io/?EIO=4&transport=polling");
    await post(target, Array(20).fill("4x").join("\x1e"));
    const counts = [];
    for (let i = 0; i < 2; i++) {
        counts.push((await get(target)).body.split("\x1e").length);
    }
    return counts.join(" ");
});
attack("ack ids from 0 to 2^53-1 come back as they are", "430[] 439007199254740991[]", async () => {
    const peer = await joined();
    await peer.send(frame(0x81, '420["message-with-ack"]'));
    await peer.send(frame(0x81, '429007199254740991["message-with-ack"]'));
    return `${await peer.text()} ${await peer.text()}`;
});
attack("a client that posts and never polls is cut", true, async () => {
    const target = await open("/engine.io/?EIO=4&transport=polling");
    const body = `4${"x".repeat(900000)}`;
    for (let i = 0; i < 20; i++) {
        if ((await post(target, body)).status !== 200) {
            return i > 2;
        }
    }
    return false;
});
attack("a client that asks and never reads is not read either", 200, async () => {
    const peer = await websocket();
    const message = frame(0x82, Buffer.alloc(900000));
    peer.socket.pause();
    peer.socket.write(frame(0x81, "40"));
    for (let i = 0; i < 60; i++) {
        peer.socket.write(frame(0x81, '451-["message",{"_placeholder":true,"num":0}]'));
        peer.socket.write(message);
    }
    for (let i = 0; i < 20; i++) {
        await get(V4);
    }
    return (await get(V4)).status;
});
attack("Accept-Encoding of 8 KB of commas is read to its end", 200, async () => {
    const target = await open("/engine.io/?EIO=4&transport=polling");
    await post(target, `4${"x".repeat(5000)}`);
    return (await get(target, `Accept-Encoding: ${",;q=,*".repeat(1300)}\r\n`)).status;
});
attack("a second POST that meets half of the first, while there is no room for more, harms nobody", 200, async () => {
    const half = (target) => `POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n${"4".repeat(900000)}`;
    const targets = await Promise.all(Array.from({ length: 100 }, () => open()));
    await Promise.all(targets.map((target) => connect().send(half(target))));
    targets.forEach((target) => connect().socket.write(request("POST", target, "", "4x")));
    (await Promise.all(Array.from({ length: 30 }, () => open()))).forEach((target) => connect().socket.write(half(target)));
    return (await get(V4)).status;
});
attack("connections that are reset in the middle of whatever harm nobody", 200, async () => {
    const target = await open();
    const starts = [upgrade().slice(0, 50), upgrade(), Buffer.concat([Buffer.from(upgrade()), frame(0x81, "40")]),
        Buffer.concat([Buffer.from(upgrade()), frame(0x02, Buffer.alloc(70000))]), request("GET", target),
        `POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n4`, Buffer.concat([Buffer.from(upgrade()), frame(0x88)])];
    for (let i = 0; i < 300; i++) {
        const peer = connect();
        await peer.send(starts[i % starts.length]);
        peer.socket.resetAndDestroy();
    }
    return (await get(V4)).status;
});
attack("heads that drip in hold up nobody", 200, async () => {
    const text = request("GET", V4);
    const slow = Array.from({ length: 300 }, () => connect());
    for (let i = 0; i < 20; i++) {
        slow.forEach((peer) => peer.socket.write(text[i]));
        if ((await get(V4)).status !== 200) {
            return i;
        }
    }
    slow.forEach((peer) => peer.socket.write(text.slice(20)));
    return (await slow[299].answer()).status;
});
attack("five thousand sessions that nobody uses are served, and cost little", true, async () => {
    const peer = connect();
    for (let i = 0; i < 5000; i += 100) {
        await peer.send(request("GET", V4).repeat(100));
        for (let n = 0; n < 100; n++) {
            if ((await peer.answer()).status !== 200) {
                return false;
            }
        }
    }
    return true;
});

// ---- memory: what many pin together

async function crowd(count, start) {
    const all = [];
    for (let i = 0; i < count; i++) {
        const peer = connect();
        peer.socket.write(await start(i));
        all.push(peer);
    }
    await Promise.all(all.map((peer) => peer.send("")));
    const alive = (await get(V4)).status;
    all.forEach((peer) => peer.close());
    return alive;
}
attack("200 half messages of 900 KB pin no more than the budget", 200, () =>
    crowd(200, () => Buffer.concat([Buffer.from(upgrade()), frame(0x02, Buffer.alloc(900000))])));
attack("200 half bodies of 900 KB pin no more than the budget", 200, () =>
    crowd(200, async () => `POST ${await open()} HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n\r\n${"4".repeat(900000)}`));
attack("200 binary packets that lack an attachment pin no more than the budget", 200, () =>
    crowd(200, () => Buffer.concat([Buffer.from(upgrade()), frame(0x81, "40"),
        frame(0x81, '452-["m",{"_placeholder":true,"num":0}]'), frame(0x82, Buffer.alloc(900000))])));
attack("2,000 half heads of 60 KB pin no more than the budget", 200, () =>
    crowd(2000, () => `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(60000)}`));

const descriptors = () => readdirSync(`/proc/${options.pid}/fd`).length;
const memory = (what) => Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${options.pid}/status`, "latin1"))[1]);

async function settles(before) {
    for (const end = Date.now() + DEADLINE_MS; Date.now() < end; ) {
        if (descriptors() <= before) {
            return true;
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return false;
}

const before = descriptors();
let failures = 0;

function report(name, actual, expected) {
    const good = expected.includes(actual);
    failures += good ? 0 : 1;
    console.log(good ? `ok ${name}` : `FAIL ${name}: expected ${expected.join(" or ")}, got ${actual}`);
}

for (const { name, expected, run } of attacks.filter((one) => one.name.includes(options.only))) {
    report(name, await run().catch((error) => String(error)), expected);
    peers.splice(0).forEach((peer) => peer.close());
    if ((await get(V4)).status !== 200) {
        report(`${name}: the next client is served`, false, [true]);
    }
    peers.splice(0).forEach((peer) => peer.close());
}
report("no descriptor is left open", await settles(before), [true]);
console.log(`# resident ${memory("VmRSS")} KiB, at most ${memory("VmHWM")} KiB, descriptors ${descriptors()}`);
if (Number(options["rss-kib"]) > 0) {
    report("memory stayed within its bound", memory("VmHWM") <= Number(options["rss-kib"]), [true]);
}
if (Number(options["left-kib"]) > 0) {
    report("memory was given back", memory("VmRSS") <= Number(options["left-kib"]), [true]);
}
process.exit(failures > 0 ? 1 : 0);
