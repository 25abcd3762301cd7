// uWebSockets.js is published as binaries. Those in the package were linked on a newer glibc than Debian 12's, for the
// sake of three functions of C23 that older ones have under their old names: __isoc23_strtol and strtol differ in
// whether "0b1" is a number. relinkForOldGlibc() writes a copy that asks for the old names. An ELF string may start
// inside another one, so it is enough to move each symbol's name forward by the length of the prefix, and to let the
// version they were bound to be the oldest one.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const prefix = "__isoc23_";
const oldest = process.arch === "x64" ? "GLIBC_2.2.5" : "GLIBC_2.17";
const sectionTypes = { dynsym: 11, verneed: 0x6ffffffe };
const require = createRequire(import.meta.url);

// A view of a 64-bit little-endian ELF file: its section headers, and strings of a string table.
class Elf {
    constructor(bytes) {
        this.bytes = bytes;
        const start = Number(bytes.readBigUInt64LE(0x28));
        const size = bytes.readUInt16LE(0x3a);
        this.sections = Array.from({ length: bytes.readUInt16LE(0x3c) }, (_, number) => {
            const at = start + number * size;
            return {
                type: bytes.readUInt32LE(at + 4),
                offset: Number(bytes.readBigUInt64LE(at + 24)),
                size: Number(bytes.readBigUInt64LE(at + 32)),
                link: bytes.readUInt32LE(at + 40),
            };
        });
    }

    section(type) {
        return this.sections.find((section) => section.type === type);
    }

    string(section, offset) {
        const start = this.sections[section.link].offset + offset;
        return this.bytes.toString("latin1", start, this.bytes.indexOf(0, start));
    }
}

// Where the names of the undefined symbols that start with the prefix stand (Elf64_Sym is 24 bytes, st_name first).
function newNames(elf) {
    const table = elf.section(sectionTypes.dynsym);
    const found = [];
    for (let at = table.offset; at < table.offset + table.size; at += 24) {
        if (elf.string(table, elf.bytes.readUInt32LE(at)).startsWith(prefix)) {
            found.push(at);
        }
    }
    return found;
}

// The versions that the file needs: Elf64_Verneed, each with a chain of Elf64_Vernaux (hash, flags, other, name, next).
function* neededVersions(elf) {
    const section = elf.section(sectionTypes.verneed);
    for (let need = section.offset, next = 1; next; need += next) {
        next = elf.bytes.readUInt32LE(need + 12);
        const library = elf.string(section, elf.bytes.readUInt32LE(need + 4));
        for (let at = need + elf.bytes.readUInt32LE(need + 8), step = 1; step; at += step) {
            step = elf.bytes.readUInt32LE(at + 12);
            yield { library, name: elf.string(section, elf.bytes.readUInt32LE(at + 8)), at };
        }
    }
}

export function relinkForOldGlibc(source, target) {
    const elf = new Elf(readFileSync(source));
    const versions = [...neededVersions(elf)].filter(({ library }) => library.startsWith("libc.so"));
    const old = versions.find(({ name }) => name === oldest);
    for (const at of newNames(elf)) {
        elf.bytes.writeUInt32LE(elf.bytes.readUInt32LE(at) + prefix.length, at);
    }
    for (const { at } of versions.filter(({ name }) => name === "GLIBC_2.38")) {
        elf.bytes.writeUInt32LE(elf.bytes.readUInt32LE(old.at), at);
        elf.bytes.writeUInt32LE(elf.bytes.readUInt32LE(old.at + 8), at + 8);
    }
    writeFileSync(target, elf.bytes);
}

const binary = () => `uws_linux_${process.arch}_${process.versions.modules}.node`;
const installed = join(dirname(fileURLToPath(import.meta.url)), "node_modules", "@btc-vision", "uwebsockets.js");
const relinked = join(installed, "..", "..", `.relinked_${binary()}`);

export function loadUws() {
    try {
        return require(join(installed, binary()));
    } catch (error) {
        if (!/GLIBC_/.test(error.message)) {
            throw error;
        }
    }
    if (!readdirSync(dirname(relinked)).includes(`.relinked_${binary()}`)) {
        relinkForOldGlibc(join(installed, binary()), relinked);
    }
    return require(relinked);
}
