// Messages in SQLite: write-ahead log, prepared statements, one transaction a webhook. With GROUP_COMMIT=1 the webhooks
// that arrived in one round of the event loop share a transaction instead, and with it an fsync.
//
// `db` has exec(sql) and prepare(sql) → { get(…), run(…) }: node:sqlite and bun:sqlite both do.
import { settings } from "./settings.mjs";

const schema = `
    CREATE TABLE businesses(id INTEGER PRIMARY KEY, phone_number_id TEXT UNIQUE);
    CREATE TABLE chats(id INTEGER PRIMARY KEY, business_id INTEGER, wa_id TEXT, name TEXT, UNIQUE(business_id, wa_id));
    CREATE TABLE messages(id INTEGER PRIMARY KEY, chat_id INTEGER, wamid TEXT UNIQUE, type TEXT, text TEXT,
        sent_at INTEGER)`;

function statements(db) {
    return {
        begin: db.prepare("BEGIN IMMEDIATE"),
        commit: db.prepare("COMMIT"),
        rollback: db.prepare("ROLLBACK"),
        business: db.prepare("SELECT id FROM businesses WHERE phone_number_id = ?"),
        chat: db.prepare("SELECT id FROM chats WHERE business_id = ? AND wa_id = ?"),
        addChat: db.prepare("INSERT INTO chats(business_id, wa_id, name) VALUES(?, ?, ?)"),
        addMessage: db.prepare(
            "INSERT INTO messages(chat_id, wamid, type, text, sent_at) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        ),
    };
}

// One message in the open transaction; null when it is not for us or was delivered before.
function append(sql, phoneNumberId, message, profileName) {
    const business = sql.business.get(phoneNumberId);
    if (!business) {
        return null;
    }
    const chatId =
        sql.chat.get(business.id, message.from)?.id ??
        Number(sql.addChat.run(business.id, message.from, profileName).lastInsertRowid);
    const { changes, lastInsertRowid } = sql.addMessage.run(
        chatId,
        message.id,
        message.type,
        message.text?.body ?? null,
        Number(message.timestamp),
    );
    return changes ? { id: Number(lastInsertRowid), chatId, businessId: business.id } : null;
}

// Returns store(work, done): work(append) runs in a transaction; done(error, what work returned) after its commit.
export function openStore(db) {
    db.exec("PRAGMA journal_mode = WAL");
    db.exec(`PRAGMA synchronous = ${settings.synchronous}`);
    db.exec(schema);
    db.prepare("INSERT INTO businesses(id, phone_number_id) VALUES(1, ?)").run(settings.phoneNumberId);
    const sql = statements(db);
    const add = (...message) => append(sql, ...message);

    function commit(jobs) {
        let results;
        sql.begin.run();
        try {
            results = jobs.map(({ work }) => work(add));
            sql.commit.run();
        } catch (error) {
            sql.rollback.run();
            jobs.forEach(({ done }) => done(error));
            return;
        }
        jobs.forEach(({ done }, number) => done(null, results[number]));
    }

    let waiting = [];
    function flush() {
        const jobs = waiting;
        waiting = [];
        commit(jobs);
    }

    if (!settings.groupCommit) {
        return (work, done) => commit([{ work, done }]);
    }
    return (work, done) => {
        if (waiting.push({ work, done }) === 1) {
            setImmediate(flush);
        }
    };
}
