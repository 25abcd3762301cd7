// One released client, whatever its version, through the same scenario on the real thing.
//
//   node clients.mjs echo --client 4.8 --transports polling,websocket --url URL
//   node clients.mjs desk --client 2.5 --transports websocket --url URL --secret-file FILE
//                         --tokens A,B --phone-number-id N
//
// `echo` is the conformance server's application, `desk` is siod's. Ends with 0 and one line, or with
// 1 and what was expected.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { newCustomer } from "./customer.mjs";

const DEADLINE_MS = 20000;
const { values: options, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        client: { type: "string" },
        transports: { type: "string" },
        url: { type: "string" },
        "secret-file": { type: "string" },
        tokens: { type: "string" },
        "phone-number-id": { type: "string" },
    },
});
const require = createRequire(import.meta.url);
const module = require(options.client === "4.8" ? "socket.io-client" : `socket.io-client-${options.client}`);
const connectTo = module.io ?? module;
const isV2 = options.client.startsWith("2.");

function within(promise, what) {
    let timer;
    const late = new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(`no ${what} within ${DEADLINE_MS} ms`)), DEADLINE_MS);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function next(socket, event, matches = () => true) {
    return within(
        new Promise((resolve) => {
            const listener = (...args) => {
                if (matches(...args)) {
                    socket.off(event, listener);
                    resolve(args);
                }
            };
            socket.on(event, listener);
        }),
        event
    );
}

function ask(socket, ...args) {
    return within(new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer))), `ack of ${args[0]}`);
}

function open(namespace, token) {
    return connectTo(options.url + namespace, {
        transports: options.transports.split(","),
        auth: token === undefined ? {} : { token },
        query: isV2 && token !== undefined ? { token } : {},
        reconnectionDelay: 20,
        reconnectionDelayMax: 100,
        forceNew: true,
    });
}

// Version 2 says `error` with the data of the refusal, later ones connect_error with an Error.
async function refusal(socket) {
    const [error] = await next(socket, isV2 ? "error" : "connect_error");

    socket.close();
    return isV2 ? { message: error.message ?? error, data: error } : error;
}

function transportOf(socket) {
    return socket.io.engine.transport.name;
}

async function reconnect(socket) {
    const again = next(socket, "connect");

    socket.io.engine.close();
    await again;
}

async function settleTransport(socket) {
    const wanted = options.transports.endsWith("websocket") ? "websocket" : "polling";

    if (transportOf(socket) !== wanted) {
        await next(socket.io.engine, "upgrade");
    }
    assert.equal(transportOf(socket), wanted);
}

async function echo() {
    const bytes = Buffer.from([0, 1, 2, 254, 255]);
    const main = open("");
    const [auth] = await next(main, "auth");

    assert.deepEqual(auth, {});
    await exchange(main, bytes);
    await settleTransport(main);
    await exchange(main, bytes);

    const custom = open("/custom");
    await next(custom, "connect");
    await exchange(custom, bytes);
    custom.close();

    const { message } = await refusal(open("/nope"));
    assert.equal(message, "Invalid namespace");

    await reconnect(main);
    await exchange(main, bytes);
    main.close();
}

async function exchange(socket, bytes) {
    const args = [1, "zwei é😀", { three: [null, true, 0.5] }];
    let back = next(socket, "message-back");

    socket.emit("message", ...args);
    assert.deepEqual(await back, args);
    back = next(socket, "message-back");
    socket.emit("message", { deep: [bytes] }, bytes.subarray(2));
    const [nested, plain] = await back;
    assert.deepEqual(Buffer.from(nested.deep[0]), bytes);
    assert.deepEqual(Buffer.from(plain), bytes.subarray(2));
    assert.deepEqual(await ask(socket, "message-with-ack", ...args), args);
    const [answered] = await ask(socket, "message-with-ack", bytes);
    assert.deepEqual(Buffer.from(answered), bytes);
}

async function desk() {
    const customerWrites = newCustomer(options.url, options["secret-file"], options["phone-number-id"]);
    const [first, second] = options.tokens.split(",");
    const ann = open("", first);
    await next(ann, "connect");
    const arrival = next(ann, "user_online");
    const bob = open("", second);
    await next(bob, "connect");
    await arrival;

    const { data } = await refusal(open("", first + "x"));
    assert.equal(data.code, "token_invalid");

    const news = next(bob, "whatsapp_message_received");
    await customerWrites("one");
    const [{ chatId, message }] = await news;
    assert.equal(message.text, "one");
    for (const socket of [ann, bob]) {
        const [joined] = await ask(socket, "join_chat", chatId);
        assert.equal(joined.ok, true);
    }
    const typing = next(bob, "user_typing");
    ann.emit("typing_start", { chatId });
    assert.equal((await typing)[0].chatId, chatId);

    await settleTransport(bob);
    await reconnect(bob);
    const [again] = await ask(bob, "join_chat", chatId, { history: 5 });
    assert.deepEqual(again.messages.map(({ text }) => text), ["one"]);
    const said = next(bob, "new_message");
    await customerWrites("two");
    assert.equal((await said)[0].message.text, "two");

    const [refused] = await ask(ann, "typing_start", { chatId: chatId + 1000 });
    assert.equal(refused.error.code, "not_in_chat");
    ann.close();
    bob.close();
}

const scenarios = { echo, desk };
try {
    await scenarios[positionals[0]]();
    console.log(`${positionals[0]} ${options.client} ${options.transports}: ok`);
    process.exit(0);
} catch (error) {
    console.error(error);
    process.exit(1);
}
