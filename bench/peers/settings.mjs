// What bench/run.mjs tells a peer, in the environment.
import { readFileSync } from "node:fs";

const secret = (path) => readFileSync(path, "utf8").trimEnd();

export const settings = {
    port: Number(process.env.PORT),
    jwtKey: secret(process.env.JWT_KEY_FILE),
    appSecret: secret(process.env.APP_SECRET_FILE),
    database: process.env.DATABASE,
    synchronous: process.env.SYNCHRONOUS ?? "FULL",
    groupCommit: process.env.GROUP_COMMIT === "1",
    phoneNumberId: "100000000000001",
};
