// What the page of browser.mjs does in the browser: one scenario, with the client that the bundle left in `io`. `job`
// says which and against whom.
/* global io, job */
const DEADLINE_MS = 20000;

function check(condition, what) {
    if (!condition) {
        throw new Error(what);
    }
}

function within(promise, what) {
    return Promise.race([
        promise,
        new Promise((resolve, reject) => {
            setTimeout(() => reject(new Error(`no ${what} within ${DEADLINE_MS} ms`)), DEADLINE_MS);
        }),
    ]);
}

function next(emitter, event) {
    return within(new Promise((resolve) => emitter.once(event, (...args) => resolve(args))), event);
}

function ask(socket, ...args) {
    return within(new Promise((resolve) => socket.emit(...args, resolve)), `ack of ${args[0]}`);
}

function connectTo(options = {}) {
    return io(job.url, {
        auth: job.token === undefined ? {} : { token: job.token },
        withCredentials: true,
        reconnectionDelay: 20,
        reconnectionDelayMax: 100,
        forceNew: true,
        ...options,
    });
}

async function customerWrites(text) {
    const answer = await fetch("/customer", { method: "POST", body: text });

    check(answer.ok, `the webhook was refused: ${await answer.text()}`);
}

function transportOf(socket) {
    return socket.io.engine.transport.name;
}

async function settle(socket) {
    if (transportOf(socket) !== "websocket") {
        await next(socket.io.engine, "upgrade");
    }
    return transportOf(socket);
}

async function reconnect(socket) {
    const again = next(socket, "connect");

    socket.io.engine.close();
    await again;
}

function same(view, bytes) {
    const got = new Uint8Array(view);

    return view instanceof ArrayBuffer && got.length === bytes.length && got.every((byte, i) => byte === bytes[i]);
}

async function exchange(socket) {
    const bytes = Uint8Array.from({ length: 70000 }, (_, i) => (i * 7) % 256);
    const back = next(socket, "message-back");

    socket.emit("message", "zwei é😀", { deep: [bytes.buffer] }, bytes.subarray(2), new Blob([bytes]));
    const [words, { deep }, view, blob] = await back;
    check(words === "zwei é😀", `the text came back as ${words}`);
    check(same(deep[0], bytes), "an ArrayBuffer came back different");
    check(same(view, bytes.subarray(2)), "a typed array came back different");
    check(same(blob, bytes), "a Blob came back different");
    check(same(await ask(socket, "message-with-ack", bytes), bytes), "an ack came back different");
}

async function echo() {
    const polling = connectTo({ transports: ["polling"] });
    await next(polling, "connect");
    await exchange(polling);
    polling.close();

    const socket = connectTo();
    const transports = [transportOf(socket)];
    await next(socket, "connect");
    transports.push(await settle(socket));
    await exchange(socket);
    await reconnect(socket);
    await exchange(socket);
    return { transports };
}

async function desk() {
    const socket = connectTo();
    const transports = [transportOf(socket)];
    await next(socket, "connect");
    transports.push(await settle(socket));
    const news = next(socket, "whatsapp_message_received");
    await customerWrites("one");
    const [{ chatId }] = await news;
    const joined = await ask(socket, "join_chat", chatId);
    check(joined.ok && joined.chatId === chatId, `join_chat was answered with ${JSON.stringify(joined)}`);
    const messages = [];
    socket.on("new_message", ({ message }) => messages.push(message.text));
    let said = next(socket, "new_message");
    await customerWrites("two");
    await said;

    await reconnect(socket);
    await settle(socket);
    const { messages: history } = await ask(socket, "join_chat", chatId, { history: 5 });
    said = next(socket, "new_message");
    await customerWrites("three");
    await said;
    return { transports, messages, history: history.map(({ text }) => text) };
}

// Each transport by itself, with what the client says of it.
async function refused() {
    const outcome = {};

    for (const transport of ["polling", "websocket"]) {
        const socket = connectTo({ transports: [transport], reconnection: false });
        const [error] = await Promise.race([next(socket, "connect_error"), next(socket, "connect")]);

        outcome[transport] = error === undefined ? "connected" : error.message;
        socket.close();
    }
    return outcome;
}

async function outcome() {
    try {
        return await { echo, desk, refused }[job.scenario]();
    } catch (error) {
        return { error: error.stack };
    }
}

fetch("/result", { method: "POST", body: JSON.stringify(await outcome()) });
