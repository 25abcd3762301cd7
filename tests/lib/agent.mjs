// An agent's browser, as far as the tests need one: the real socket.io-client. What it sees goes to
// stdout as one JSON object a line, what it should do comes from stdin the same way. It ends when
// stdin does.
//
//   node agent.mjs --url http://127.0.0.1:3000 [--token JWT] [--transports polling,websocket]
//                  [--path /socket.io/] [--namespace /] [--query NAME=VALUE]... [--join]
//                  [--no-reconnect] [--insecure]
//
// Lines out: connect, connect_error, upgrade, event, ack, disconnect, reconnecting.
// Commands:  {"emit":["join_chat",1],"ack":true,"tag":"any"}  {"disconnect":true}  {"connect":true}
//            {"auth":{"token":"…"}}  {"pause":true|false} (stops reading from the TCP connection)
// --join: joins every chat it hears of, as a desk page does.
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { io } from "socket.io-client";

const { values: options } = parseArgs({
    options: {
        url: { type: "string" },
        token: { type: "string" },
        transports: { type: "string", default: "polling,websocket" },
        path: { type: "string", default: "/socket.io/" },
        namespace: { type: "string", default: "/" },
        query: { type: "string", multiple: true, default: [] },
        join: { type: "boolean", default: false },
        "no-reconnect": { type: "boolean", default: false },
        insecure: { type: "boolean", default: false },
    },
});

function say(type, fields) {
    process.stdout.write(JSON.stringify({ type, ...fields }) + "\n");
}

const socket = io(options.url + options.namespace.replace(/^\/$/, ""), {
    path: options.path,
    transports: options.transports.split(","),
    query: Object.fromEntries(options.query.map((pair) => pair.split("=", 2))),
    auth: options.token === undefined ? {} : { token: options.token },
    reconnection: !options["no-reconnect"],
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
    rejectUnauthorized: !options.insecure,
    forceNew: true,
});
const joined = new Set();

function join(chatId) {
    if (joined.has(chatId)) {
        return;
    }
    joined.add(chatId);
    socket.emit("join_chat", chatId, (answer) => say("ack", { tag: `join ${chatId}`, args: [answer] }));
}

function transport() {
    return socket.io.engine?.transport?.name;
}

socket.on("connect", () => {
    joined.clear();
    say("connect", { id: socket.id, transport: transport(), recovered: socket.recovered });
});
socket.on("connect_error", (error) => {
    say("connect_error", { message: error.message, data: error.data });
});
socket.on("disconnect", (reason) => say("disconnect", { reason }));
socket.io.on("open", () => {
    socket.io.engine.once("upgrade", () => say("upgrade", { transport: transport() }));
});
socket.io.on("reconnect_attempt", (attempt) => say("reconnecting", { attempt }));
socket.onAny((event, ...args) => {
    say("event", { event, args });
    if (options.join && event === "whatsapp_message_received") {
        join(args[0].chatId);
    }
});

function emit({ emit: args, ack, tag }) {
    if (!ack) {
        socket.emit(...args);
        return;
    }
    socket.timeout(20000).emit(...args, (error, ...answer) => {
        say("ack", error ? { tag, error: "timeout" } : { tag, args: answer });
    });
}

function pause(on) {
    const tcp = socket.io.engine.transport.ws._socket;
    if (on) {
        tcp.pause();
    } else {
        tcp.resume();
    }
}

function obey(command) {
    if (command.emit) {
        emit(command);
    } else if (command.auth) {
        socket.auth = command.auth;
    } else if (command.pause !== undefined) {
        pause(command.pause);
    } else if (command.connect) {
        socket.connect();
    } else if (command.disconnect) {
        socket.disconnect();
    }
}

const input = createInterface({ input: process.stdin });
input.on("line", (line) => obey(JSON.parse(line)));
input.on("close", () => {
    socket.disconnect();
    process.exit(0);
});
