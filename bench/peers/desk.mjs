// The part of a desk that is Socket.IO, as its documentation would have one write it: a middleware that checks the
// token, rooms for businesses and chats, one handler an event. The same for every peer.
import jwt from "jsonwebtoken";

import { settings } from "./settings.mjs";

// Options for new Server(): nothing is compressed, nothing is served that is not measured.
export const serverOptions = { transports: ["websocket"], serveClient: false, perMessageDeflate: false };

const now = () => new Date().toISOString();

function authenticate(socket, next) {
    try {
        const claims = jwt.verify(socket.handshake.auth.token, settings.jwtKey, { algorithms: ["HS256"] });
        if (!Number.isSafeInteger(claims.userId) || !Number.isSafeInteger(claims.businessId)) {
            throw new Error("claims_invalid");
        }
        socket.data = { userId: claims.userId, business: `business_${claims.businessId}` };
        next();
    } catch {
        next(new Error("unauthorized"));
    }
}

function onConnection(socket) {
    const { userId, business } = socket.data;
    socket.join(business);
    socket.to(business).emit("user_online", { userId, timestamp: now() });
    socket.on("join_chat", (chatId, ack) => {
        socket.join(`chat_${chatId}`);
        ack?.({ ok: true, chatId });
    });
    socket.on("leave_chat", (chatId, ack) => {
        socket.leave(`chat_${chatId}`);
        ack?.({ ok: true, chatId });
    });
    socket.on("typing_start", ({ chatId }) => {
        socket.to(`chat_${chatId}`).emit("user_typing", { userId, chatId, timestamp: now() });
    });
    socket.on("typing_stop", ({ chatId }) => {
        socket.to(`chat_${chatId}`).emit("user_stop_typing", { userId, chatId, timestamp: now() });
    });
    socket.on("disconnect", () => {
        socket.to(business).emit("user_offline", { userId, timestamp: now() });
    });
}

export function installDesk(io) {
    io.use(authenticate);
    io.on("connection", onConnection);
}

// What a stored message becomes for the agents.
export function emitMessage(io, stored, message, profileName) {
    const { id, chatId, businessId } = stored;
    const timestamp = now();
    const event = {
        message: {
            id,
            chatId,
            businessId,
            wamid: message.id,
            direction: "inbound",
            type: message.type,
            text: message.text?.body ?? null,
            contact: { name: profileName, phone: message.from, waId: message.from },
            whatsappTimestamp: message.timestamp,
        },
        timestamp,
    };
    io.to(`chat_${chatId}`).emit("new_message", event);
    io.to(`business_${businessId}`).emit("whatsapp_message_received", { chatId, ...event });
}
